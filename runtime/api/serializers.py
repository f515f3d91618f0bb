"""What the API takes and gives, for reading input and for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from leadsend.lib.api import StrictSerializer
from runtime.models import BulkItemStatus, BulkStatus, ExecutionStatus, StepStatus, TaskStatus

AnyJSON = serializers.JSONField


class ErrorSerializer(serializers.Serializer[Any]):
    """Why something failed."""

    code = serializers.CharField()
    message = serializers.CharField()
    step_id = serializers.CharField(allow_null=True, required=False)


class MetricsSerializer(serializers.Serializer[Any]):
    """What a run took; a run that has not ended has none."""

    steps = serializers.IntegerField()
    attempts = serializers.IntegerField()
    wait_ms = serializers.IntegerField()
    run_ms = serializers.IntegerField()


class LineageSerializer(serializers.Serializer[Any]):
    """How a run came from the one in ``retry_of``."""

    kind = serializers.ChoiceField(choices=["retry", "replay"])
    by = serializers.CharField(help_text="Who asked for it.")
    from_step = serializers.CharField(allow_null=True)
    run_again = serializers.ListField(child=serializers.CharField())
    version = serializers.ChoiceField(choices=["original", "live"])
    is_event_edited = serializers.BooleanField()
    kept = serializers.ListField(
        child=serializers.CharField(), help_text="The steps whose results were kept."
    )
    bulk_job = serializers.UUIDField(allow_null=True)


class ExecutionSerializer(serializers.Serializer[Any]):
    """One run of a workflow's version."""

    id = serializers.UUIDField()
    project_id = serializers.UUIDField()
    workflow_id = serializers.UUIDField()
    version_id = serializers.UUIDField()
    trigger_event_id = serializers.UUIDField(allow_null=True)
    trigger_type = serializers.CharField()
    trigger_key = serializers.CharField()
    status = serializers.ChoiceField(choices=ExecutionStatus.choices)
    context_data = AnyJSON(help_text="The event's data.")
    business_key = serializers.CharField()
    error = ErrorSerializer(allow_null=True)
    output = AnyJSON(allow_null=True)
    metrics = MetricsSerializer(allow_null=True)
    retry_of = serializers.UUIDField(allow_null=True)
    parent_execution = serializers.UUIDField(
        allow_null=True, help_text="The run whose step called this one."
    )
    parent_step = serializers.CharField(allow_null=True)
    parent_item = serializers.CharField(allow_null=True)
    depth = serializers.IntegerField(help_text="How many calls are above this run.")
    lineage = LineageSerializer(allow_null=True)
    replay = serializers.IntegerField()
    cancel_requested_at = serializers.DateTimeField(allow_null=True)
    pause_requested_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    execution_time = serializers.IntegerField(allow_null=True, help_text="Milliseconds.")


class StepRunSerializer(serializers.Serializer[Any]):
    """One attempt of a step."""

    id = serializers.UUIDField()
    run_id = serializers.UUIDField()
    step_id = serializers.CharField(help_text="The step's id in the document.")
    kind = serializers.CharField()
    action_key = serializers.CharField()
    item = serializers.CharField(
        allow_null=True, help_text='The item of a loop, by its place: "3", in a nested loop "3.0".'
    )
    attempt = serializers.IntegerField()
    status = serializers.ChoiceField(choices=StepStatus.choices)
    branch = serializers.CharField()
    input_data = AnyJSON(allow_null=True)
    result_data = AnyJSON(allow_null=True)
    error = ErrorSerializer(allow_null=True)
    due_at = serializers.DateTimeField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    execution_time = serializers.IntegerField(allow_null=True, help_text="Milliseconds.")
    is_carried_over = serializers.BooleanField(help_text="The result of the run that was retried.")


class StepRunsSerializer(serializers.Serializer[Any]):
    """All attempts of a run's steps, in the order in which they began."""

    results = StepRunSerializer(many=True)
    next = serializers.CharField(allow_null=True)


class NothingSerializer(StrictSerializer):
    """An act that needs no input."""


class AgainSerializer(StrictSerializer):
    """What is done again, and with which event."""

    run_again = serializers.ListField(
        child=serializers.CharField(max_length=80),
        required=False,
        max_length=500,
        help_text="Steps whose effects are wanted a second time; `*` stands for all of them. "
        "Effects that are done and not named here are kept.",
    )
    event = serializers.DictField(
        required=False, help_text="The event's data in place of what came; absent: as it was."
    )


class RetrySerializer(AgainSerializer):
    """Where a retry starts, on which version, and what it does again."""

    from_step = serializers.CharField(
        required=False, max_length=80, help_text="Without it: at what failed."
    )
    version = serializers.ChoiceField(choices=["original", "live"], default="original")


class ReplaySerializer(AgainSerializer):
    """How to run anew. Without any of it the event is offered to its workflow once more."""

    version = serializers.ChoiceField(choices=["original", "live"], required=False)


class BulkSerializer(RetrySerializer):
    """One act on all runs that a filter finds."""

    act = serializers.ChoiceField(choices=["cancel", "retry", "replay"])
    filter = serializers.DictField(
        help_text="What narrows `GET /api/v1/executions/`, by the same names. `{}` finds all."
    )
    preview = serializers.BooleanField(
        default=False, help_text="Only count, and show a few of what is found."
    )
    per_second = serializers.IntegerField(
        default=10, min_value=1, max_value=100, help_text="How many runs a second."
    )
    version = serializers.ChoiceField(choices=["original", "live"], required=False)
    project = serializers.CharField(required=False, help_text="Id or slug; needed with several.")


class BulkJobSerializer(serializers.Serializer[Any]):
    """How far an act on many runs is."""

    id = serializers.UUIDField()
    project_id = serializers.UUIDField()
    act = serializers.ChoiceField(choices=["cancel", "retry", "replay"])
    filter = serializers.DictField()
    options = serializers.DictField()
    per_second = serializers.IntegerField()
    status = serializers.ChoiceField(choices=BulkStatus.choices)
    total = serializers.IntegerField()
    done = serializers.IntegerField()
    refused = serializers.IntegerField()
    error = serializers.CharField()
    created_by = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class BulkPreviewSerializer(serializers.Serializer[Any]):
    """What an act on many runs would be done to; nothing was done."""

    count = serializers.IntegerField()
    sample = ExecutionSerializer(many=True)


class BulkItemSerializer(serializers.Serializer[Any]):
    """What became of one run of a bulk job."""

    execution_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=BulkItemStatus.choices)
    message = serializers.CharField(help_text="Why it was refused.")
    result_id = serializers.UUIDField(allow_null=True, help_text="The new run.")


class RunReplaySerializer(serializers.Serializer[Any]):
    """An event that was accepted again; the new run carries the same number."""

    event_id = serializers.UUIDField()
    replay = serializers.IntegerField(help_text="Counts from 1.")


class DecisionSerializer(StrictSerializer):
    """What a person found out about a step that may have happened."""

    step_id = serializers.CharField(max_length=80)
    item = serializers.RegexField(
        r"^\d+(\.\d+)*\Z", required=False, max_length=40, help_text="Of a step in a loop."
    )
    decision = serializers.ChoiceField(choices=["done", "run_again", "failed"])
    reason = serializers.CharField(max_length=2000)
    output = AnyJSON(
        required=False, help_text="What the step came to, for those behind it; with `done` only."
    )


class TaskSerializer(serializers.Serializer[Any]):
    """A to-do for a person or a team."""

    id = serializers.UUIDField()
    project_id = serializers.UUIDField()
    title = serializers.CharField()
    description = serializers.CharField()
    status = serializers.ChoiceField(choices=TaskStatus.choices)
    priority = serializers.CharField()
    assignee_id = serializers.UUIDField(allow_null=True)
    team = serializers.CharField(allow_null=True, help_text="The team's key.")
    due_at = serializers.DateTimeField(allow_null=True)
    workflow_id = serializers.UUIDField(allow_null=True)
    execution_id = serializers.UUIDField(allow_null=True)
    step_id = serializers.CharField()
    business_key = serializers.CharField()
    form = AnyJSON(allow_null=True, help_text="Of an approval: its answers and fields.")
    answer = AnyJSON(allow_null=True)
    completed_by_id = serializers.UUIDField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class HolderSerializer(StrictSerializer):
    """Who a task is given to; nobody when both are left out."""

    assignee_id = serializers.UUIDField(required=False, allow_null=True)
    team = serializers.CharField(required=False, allow_null=True, help_text="The team's key.")


class NewTaskSerializer(HolderSerializer):
    """A task made by hand."""

    title = serializers.CharField(max_length=300)
    description = serializers.CharField(required=False, allow_blank=True, max_length=20_000)
    due_at = serializers.DateTimeField(required=False, allow_null=True)
    priority = serializers.ChoiceField(choices=["low", "normal", "high"], required=False)
    project = serializers.CharField(required=False, help_text="Id or slug; needed with several.")


class AnswerSerializer(StrictSerializer):
    """What came of a task; of an approval ``{"answer": key, "comment": text, "fields": {…}}``."""

    answer = AnyJSON(required=False, allow_null=True)


class ReasonSerializer(StrictSerializer):
    """Why."""

    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=2000)
