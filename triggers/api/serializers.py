"""What the API takes and gives, for reading input and for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from leadsend.lib.api import StrictSerializer
from runtime.models import BulkStatus
from triggers.models import AuthMode
from triggers.row_triggers import DEFAULT_OPERATIONS, OPERATIONS

AnyJSON = serializers.JSONField


class NothingToSaySerializer(StrictSerializer):
    """An act that needs no input."""


class SecretSerializer(StrictSerializer):
    """A secret that the sender has made; without one a fresh one is made here."""

    secret = serializers.CharField(required=False, max_length=200, write_only=True)


class AuthSerializer(serializers.Serializer[Any]):
    """How the sender proves itself; ``secret`` only in the answer that made it."""

    mode = serializers.ChoiceField(choices=AuthMode.choices)
    secret = serializers.CharField(required=False)


class NewEndpointSerializer(serializers.Serializer[Any]):
    """A webhook's address as publishing tells it."""

    id = serializers.UUIDField()
    trigger_id = serializers.CharField()
    url = serializers.CharField()
    auth = AuthSerializer()


class EndpointSerializer(NewEndpointSerializer):
    """A webhook's address."""

    project_id = serializers.UUIDField()
    workflow_id = serializers.UUIDField()
    name = serializers.CharField()
    methods = serializers.ListField(child=serializers.CharField())
    event_key = serializers.CharField()
    is_active = serializers.BooleanField()
    previous_valid_until = serializers.DateTimeField(
        allow_null=True, help_text="Until when the secret before this one is good."
    )
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class FormSerializer(serializers.Serializer[Any]):
    """A form that LeadSend shows at ``url``."""

    id = serializers.UUIDField()
    project_id = serializers.UUIDField()
    workflow_id = serializers.UUIDField()
    trigger_id = serializers.CharField()
    title = serializers.CharField()
    url = serializers.CharField()
    is_active = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class NewFormSerializer(serializers.Serializer[Any]):
    """A form's address as publishing tells it."""

    id = serializers.UUIDField()
    trigger_id = serializers.CharField()
    url = serializers.CharField()


class SubscriptionSerializer(serializers.Serializer[Any]):
    """The link of a workflow to one of its triggers."""

    id = serializers.UUIDField()
    project_id = serializers.UUIDField()
    workflow_id = serializers.UUIDField()
    trigger_id = serializers.CharField()
    trigger_key = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # a field, as the metaclass takes it
    cfg = AnyJSON()
    filter_conditions = AnyJSON()
    is_active = serializers.BooleanField(help_text="Follows the published version.")
    paused_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class ChangedSubscriptionSerializer(SubscriptionSerializer):
    """A subscription after a change, with what publishing it has made."""

    webhook_endpoints = NewEndpointSerializer(many=True, required=False)
    forms = NewFormSerializer(many=True, required=False)


class NewSubscriptionSerializer(StrictSerializer):
    """A trigger that is to start a workflow."""

    workflow_id = serializers.UUIDField()
    trigger_key = serializers.CharField(max_length=80)
    cfg = serializers.DictField(default=dict)
    filter_conditions = serializers.DictField(default=dict)


class SubscriptionChangeSerializer(StrictSerializer):
    """New settings of a trigger; they go into the draft, and with ``publish`` live."""

    cfg = serializers.DictField(required=False)
    filter_conditions = serializers.DictField(required=False)
    publish = serializers.BooleanField(default=False)


class ScheduleSerializer(serializers.Serializer[Any]):
    """When a workflow starts by the clock."""

    id = serializers.UUIDField()
    project_id = serializers.UUIDField()
    workflow_id = serializers.UUIDField()
    trigger_id = serializers.CharField()
    cron = serializers.CharField()
    timezone = serializers.CharField()
    words = serializers.CharField(help_text="The rules in words, where simple words say the same.")
    missed = serializers.CharField()
    jitter_s = serializers.IntegerField()
    skip_holidays = serializers.BooleanField()
    calendar = serializers.CharField()
    is_active = serializers.BooleanField(help_text="Follows the published version.")
    paused_at = serializers.DateTimeField(allow_null=True)
    next_due_at = serializers.DateTimeField(allow_null=True)
    last_due_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class FiredSerializer(serializers.Serializer[Any]):
    """The event that a schedule was fired with."""

    event_id = serializers.UUIDField()


class PreviewSerializer(StrictSerializer):
    """Rules that somebody wants to understand."""

    cron = serializers.CharField(max_length=2000, help_text="In words or as cron, one a line.")
    timezone = serializers.CharField(max_length=64, default="UTC")
    skip_holidays = serializers.BooleanField(default=False)
    calendar = serializers.CharField(max_length=80, default="", allow_blank=True)
    count = serializers.IntegerField(min_value=1, max_value=100, default=10)


class ComingTickSerializer(serializers.Serializer[Any]):
    """A time to come."""

    at = serializers.DateTimeField(help_text="On the schedule's own clock, with its offset.")
    left_out = serializers.CharField(help_text="Why it will not fire; empty when it will.")
    clocks_change = serializers.BooleanField(help_text="Between the time before and this one.")


class ComingTicksSerializer(serializers.Serializer[Any]):
    """What a schedule will do next."""

    words = serializers.CharField()
    ticks = ComingTickSerializer(many=True)


class FateSerializer(serializers.Serializer[Any]):
    """Why an event started nothing."""

    code = serializers.CharField()
    reason = serializers.CharField()


class EventSerializer(serializers.Serializer[Any]):
    """One recorded happening."""

    id = serializers.UUIDField()
    project_id = serializers.UUIDField()
    trigger_key = serializers.CharField()
    trigger_type = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # a field, as the metaclass takes it
    event_key = serializers.CharField(allow_null=True)
    is_sample = serializers.BooleanField()
    fate = FateSerializer(allow_null=True)
    received_at = serializers.DateTimeField()


class EventDetailSerializer(EventSerializer):
    """An event with its data and what it started."""

    data = AnyJSON(allow_null=True)  # type: ignore[assignment]  # a field, as the metaclass takes it
    request = AnyJSON(allow_null=True)
    execution_ids = serializers.ListField(child=serializers.UUIDField())


class ReplaySerializer(serializers.Serializer[Any]):
    """A replay that was accepted."""

    event_id = serializers.UUIDField()
    replay = serializers.IntegerField(help_text="Its number, from 1.")


class ReplayManySerializer(StrictSerializer):
    """Which events to replay, and how fast."""

    filter = serializers.DictField(
        help_text="What narrows `GET /api/v1/events/`, by the same names. `{}` finds all."
    )
    preview = serializers.BooleanField(default=False, help_text="Only count.")
    per_second = serializers.IntegerField(default=10, min_value=1, max_value=100)
    project = serializers.CharField(required=False, help_text="Id or slug; needed with several.")


class ReplayPreviewSerializer(serializers.Serializer[Any]):
    """What would be replayed; nothing was done."""

    count = serializers.IntegerField()
    newest = EventSerializer(allow_null=True)


class ReplayJobSerializer(serializers.Serializer[Any]):
    """How far a replay of many events is."""

    id = serializers.UUIDField()
    project_id = serializers.UUIDField()
    filter = serializers.DictField()
    subscription_id = serializers.UUIDField(allow_null=True, help_text="Null: all that listen.")
    per_second = serializers.IntegerField()
    status = serializers.ChoiceField(choices=BulkStatus.choices)
    total = serializers.IntegerField()
    done = serializers.IntegerField()
    refused = serializers.IntegerField()
    error = serializers.CharField(help_text="Why the last one was refused.")
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class ResumeSerializer(StrictSerializer):
    """What becomes of the events that came while a subscription was paused."""

    replay_held = serializers.BooleanField(default=False)
    per_second = serializers.IntegerField(default=10, min_value=1, max_value=100)


class ResumedSerializer(SubscriptionSerializer):
    """A subscription that listens again, and the job that offers it what came meanwhile."""

    replay_job = ReplayJobSerializer(allow_null=True)


class SampleSerializer(StrictSerializer):
    """Whether an event is kept as a sample."""

    is_sample = serializers.BooleanField(default=True)


class FilterToTrySerializer(StrictSerializer):
    """A filter that is not live yet."""

    filter_conditions = serializers.DictField()


class JudgedSerializer(serializers.Serializer[Any]):
    """An event that came, and what the filter says to it."""

    event_id = serializers.UUIDField()
    received_at = serializers.DateTimeField()
    matched = serializers.BooleanField(allow_null=True, help_text="Null where the filter fails.")
    reason = serializers.CharField()


class TriedFilterSerializer(serializers.Serializer[Any]):
    """How many of the last events the filter lets through, and the newest ten of either kind."""

    looked_at = serializers.IntegerField()
    matched = serializers.IntegerField()
    failed = serializers.IntegerField()
    events = JudgedSerializer(many=True)


class NewWatchedTableSerializer(StrictSerializer):
    """A table to be watched."""

    table = serializers.CharField(max_length=140, help_text="Such as leads or crm.leads.")
    operations = serializers.ListField(
        child=serializers.ChoiceField(choices=list(OPERATIONS)),
        allow_empty=False,
        default=list(DEFAULT_OPERATIONS),
    )
    columns = serializers.ListField(
        child=serializers.CharField(max_length=63),
        default=list,
        help_text="What of a row may leave the table; empty: all but those named like secrets.",
    )
    key_column = serializers.CharField(max_length=63, default="id")
    project = serializers.CharField(required=False, help_text="Id or slug; needed with several.")


class WatchedTableSerializer(serializers.Serializer[Any]):
    """A table whose changes become events."""

    id = serializers.UUIDField()
    project_id = serializers.UUIDField()
    table = serializers.CharField()
    operations = serializers.ListField(child=serializers.CharField())
    columns = serializers.ListField(child=serializers.CharField(), allow_null=True)
    key_column = serializers.CharField()
    is_by_hand = serializers.BooleanField(help_text="Stays when no workflow listens any more.")
    waiting_since = serializers.DateTimeField(
        allow_null=True, help_text="Set while the table does not exist yet."
    )
    created_at = serializers.DateTimeField()


class SamplesSerializer(serializers.Serializer[Any]):
    """Programs that send to a webhook."""

    python = serializers.CharField()
    curl = serializers.CharField(required=False, help_text="Where nothing has to be signed.")
    html = serializers.CharField(required=False, help_text="Where no proof is asked for.")


class DeliverySerializer(serializers.Serializer[Any]):
    """A request to a webhook, or several equal ones that were refused."""

    received_at = serializers.DateTimeField()
    status = serializers.IntegerField(help_text="What was answered.")
    code = serializers.CharField(
        help_text="started, undecided, repeated, why nothing started, or why it was refused."
    )
    message = serializers.CharField()
    event_id = serializers.UUIDField(allow_null=True)
    count = serializers.IntegerField()


class RunSerializer(StrictSerializer):
    """What the workflow is started with; with ``wait`` the answer comes when it has ended."""

    event = serializers.DictField(default=dict)
    wait = serializers.BooleanField(default=False)


class StartedSerializer(serializers.Serializer[Any]):
    """A run that was accepted; it can be read once dispatch has seen it."""

    event_id = serializers.UUIDField()
    execution_ids = serializers.ListField(child=serializers.UUIDField())
