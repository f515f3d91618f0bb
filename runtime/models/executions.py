"""Executions and their steps: what ran, and what it came to."""

from __future__ import annotations

from typing import Self
from uuid import UUID

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Collate, Now, Upper

from leadsend.access.models import Project, ProjectQuerySet
from leadsend.lib.payload_field import PayloadField
from workflows.models import StepKind, Workflow, WorkflowVersion


class ExecutionStatus(models.TextChoices):
    """States of an execution; the last four are final and cannot be left."""

    PENDING = "PENDING", "Pending"
    RUNNING = "RUNNING", "Running"
    WAITING = "WAITING", "Waiting"
    PAUSED = "PAUSED", "Paused"
    SUCCESS = "SUCCESS", "Done"
    FAILED = "FAILED", "Failed"
    CANCELLED = "CANCELLED", "Cancelled"
    TIMED_OUT = "TIMED_OUT", "Timed out"


class StepStatus(models.TextChoices):
    """States of one attempt of a step; UNCERTAIN waits for a person, the last five are final."""

    PENDING = "PENDING", "Pending"
    RUNNING = "RUNNING", "Running"
    WAITING = "WAITING", "Waiting"
    UNCERTAIN = "UNCERTAIN", "Uncertain"
    SUCCESS = "SUCCESS", "Done"
    FAILED = "FAILED", "Failed"
    SKIPPED = "SKIPPED", "Skipped"
    CANCELLED = "CANCELLED", "Cancelled"
    TIMED_OUT = "TIMED_OUT", "Timed out"


FINAL_EXECUTION = ("SUCCESS", "FAILED", "CANCELLED", "TIMED_OUT")
# Compared byte by byte, or no index could serve how a key begins.
_KEY_IN_CAPITALS = Collate(Upper("business_key"), "C")
FAILED_EXECUTION = ("FAILED", "TIMED_OUT")
# So many runs of a key are looked up one by one.
_FEW = 1000
FINAL_STEP = ("SUCCESS", "FAILED", "SKIPPED", "CANCELLED", "TIMED_OUT")


class ExecutionQuerySet(ProjectQuerySet):
    """Executions as users look for them."""

    def unfinished(self) -> Self:
        """Keep what has not reached a final state (served by the partial index)."""
        return self.exclude(status__in=FINAL_EXECUTION)

    def about(self, business_key: str) -> Self:
        """Keep runs of exactly this key."""
        asked = Upper(Value(business_key))
        rows = self.exclude(business_key="").alias(in_capitals=_KEY_IN_CAPITALS)
        return rows.filter(in_capitals=asked, business_key=business_key)

    def about_prefix(self, text: str) -> Self:
        """Keep runs whose key begins so, whatever its case; queries at once.

        Few are found by the index of keys, many by going through the runs from the newest one:
        the planner cannot tell which it is, so the index is asked how many there are.
        """
        rows = self.exclude(business_key="").alias(in_capitals=_KEY_IN_CAPITALS)
        rows = rows.filter(in_capitals__startswith=Upper(Value(text)))
        found = rows.order_by("project_id", "in_capitals").values_list("pk", flat=True)
        first = list(found[: _FEW + 1])
        return self.filter(pk__in=first) if len(first) <= _FEW else rows

    def uncertain(self) -> Self:
        """Keep what waits until a person says whether a step happened (few rows, by an index)."""
        steps = StepExecution.objects.filter(status="UNCERTAIN").values("execution_id")
        return self.unfinished().filter(pk__in=steps)

    def dead_letters(self) -> Self:
        """Keep what failed and of which no new try is under way or ended well."""
        return self.filter(status__in=FAILED_EXECUTION).not_tried_again()

    def not_tried_again(self) -> Self:
        """Leave out what a person tried again, unless that try failed too or was cancelled."""
        tries = Execution.objects.filter(retry_of=OuterRef("pk"))
        return self.exclude(Exists(tries.exclude(status__in=(*FAILED_EXECUTION, "CANCELLED"))))

    def with_workflow(self) -> Self:
        """Fetch workflow and version along."""
        return self.select_related("workflow", "version")


class Execution(models.Model):
    """One run of a workflow's version for one event.

    ``id`` is computed from event, subscription and replay number, so the same start cannot happen
    twice. Lease and fence: only who holds the current ``fence`` may record. ``pending`` is the
    intent record: ``[{"step", "item", "attempt"}]`` of the effects under way. ``claimed_at`` is
    the ``now`` of expressions. Columns have database defaults because the hot path uses COPY.
    """

    id = models.UUIDField(primary_key=True)
    project = models.ForeignKey(
        Project, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    workflow = models.ForeignKey(
        Workflow,
        on_delete=models.DO_NOTHING,
        related_name="executions",
        db_constraint=False,
        db_index=False,
    )
    version = models.ForeignKey(
        WorkflowVersion, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    subscription_id = models.UUIDField(null=True, blank=True)
    trigger_event_id = models.UUIDField(null=True, blank=True)
    trigger_key = models.CharField(max_length=80, db_default="manual")
    trigger_type = models.CharField(max_length=20, db_default="manual")
    status = models.CharField(
        max_length=10, choices=ExecutionStatus.choices, db_default=ExecutionStatus.PENDING
    )
    priority = models.SmallIntegerField(db_default=0, help_text="Lower runs first.")
    run_after = models.DateTimeField(db_default=Now())
    fence = models.BigIntegerField(db_default=0, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    worker_id = models.UUIDField(null=True, blank=True, editable=False)
    crash_count = models.SmallIntegerField(db_default=0)
    claimed_at = models.DateTimeField(null=True, blank=True, editable=False)
    pending = models.JSONField(null=True, blank=True, editable=False)
    context_data = PayloadField(db_default={}, help_text="The event's data.")
    request_data = PayloadField(null=True, blank=True)
    business_key = models.CharField(max_length=300, db_default="")
    concurrency_key = models.CharField(max_length=300, null=True, blank=True)
    error = models.JSONField(null=True, blank=True)
    output = PayloadField(null=True, blank=True)
    metrics = models.JSONField(null=True, blank=True)
    retry_of = models.UUIDField(null=True, blank=True)
    parent_execution = models.UUIDField(
        null=True, blank=True, help_text="The run whose step called this one."
    )
    parent_step = models.CharField(max_length=80, null=True, blank=True)
    parent_item = models.CharField(max_length=40, null=True, blank=True)
    depth = models.SmallIntegerField(db_default=0, help_text="Calls above this one.")
    lineage = models.JSONField(
        null=True, blank=True, help_text="How it came from the run that it is a new try of."
    )
    replay = models.IntegerField(db_default=0)
    timeout_s = models.IntegerField(db_default=3600)
    run_ms = models.BigIntegerField(db_default=0, help_text="Time at work, waits not counted.")
    deadline_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    pause_requested_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    execution_time = models.BigIntegerField(null=True, blank=True, help_text="Milliseconds.")

    objects = ExecutionQuerySet.as_manager()

    class Meta:
        db_table = "workflow_execution"
        verbose_name = "run"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=ExecutionStatus.values), name="execution_status_known"
            ),
            models.CheckConstraint(
                condition=Q(status__in=FINAL_EXECUTION, ended_at__isnull=False)
                | (~Q(status__in=FINAL_EXECUTION) & Q(ended_at__isnull=True)),
                name="execution_ended_iff_final",
            ),
        ]
        indexes = [
            # What the claim reads: pending rows only, so the index stays as small as the queue.
            models.Index(
                fields=["workflow", "priority", "run_after"],
                condition=Q(status="PENDING"),
                name="execution_pending",
            ),
            # Those whose process died, few at any time: found without reading the whole queue.
            models.Index(
                fields=["run_after"],
                condition=Q(status="PENDING", crash_count__gt=0),
                name="execution_crashed",
            ),
            models.Index(
                fields=["lease_until"], condition=Q(status="RUNNING"), name="execution_leased"
            ),
            models.Index(
                fields=["project", "id"],
                condition=~Q(status__in=FINAL_EXECUTION),
                name="execution_unfinished",
            ),
            models.Index(
                fields=["project", "id"],
                condition=Q(status__in=["FAILED", "TIMED_OUT"]),
                name="execution_failed",
            ),
            models.Index(fields=["workflow", "-id"], name="execution_by_workflow"),
            # How a key begins, whatever its case; runs without a key cost it nothing.
            models.Index(
                F("project"),
                _KEY_IN_CAPITALS,
                condition=~Q(business_key=""),
                name="execution_by_key_prefix",
            ),
            # Rare rows: wishes that the reaper has to see, and retries of an execution.
            models.Index(
                fields=["id"],
                condition=Q(cancel_requested_at__isnull=False) & ~Q(status__in=FINAL_EXECUTION),
                name="execution_cancel_asked",
            ),
            models.Index(
                fields=["retry_of"],
                condition=Q(retry_of__isnull=False),
                name="execution_by_retried",
            ),
            models.Index(
                fields=["parent_execution"],
                condition=Q(parent_execution__isnull=False),
                name="execution_by_parent",
            ),
            BrinIndex(fields=["created_at"], name="execution_created"),
        ]

    def __str__(self) -> str:
        return self.business_key or str(self.id)

    @property
    def is_final(self) -> bool:
        """Say whether the state can never change again."""
        return self.status in FINAL_EXECUTION


class StepExecutionQuerySet(ProjectQuerySet):
    """Attempts of steps."""

    def of_execution(self, execution_id: UUID) -> Self:
        """Keep one execution's rows.

        A step row's id carries its execution's millisecond, so the primary key finds them and no
        index on ``execution_id`` has to be kept up on the hot path.
        """
        first = execution_id.int >> 80 << 80
        return self.filter(
            id__gte=UUID(int=first), id__lt=UUID(int=first + (1 << 80)), execution_id=execution_id
        )


class StepExecution(models.Model):
    """One attempt of one step: the history, and the ledger of effects. Never two rows for one try.

    ``effect_key`` is the idempotency key under which the effect was sent.
    """

    id = models.UUIDField(primary_key=True)
    project = models.ForeignKey(
        Project, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    execution = models.ForeignKey(
        Execution,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    step_id = models.CharField(max_length=80)
    kind = models.CharField(max_length=16, choices=StepKind.choices)
    action_key = models.CharField(max_length=80, db_default="")
    item = models.CharField(max_length=40, null=True, blank=True)
    attempt = models.IntegerField(db_default=1)
    again = models.IntegerField(db_default=0)
    status = models.CharField(max_length=10, choices=StepStatus.choices)
    branch = models.CharField(max_length=80, db_default="")
    input_data = PayloadField(null=True, blank=True)
    result_data = PayloadField(null=True, blank=True)
    error = models.JSONField(null=True, blank=True)
    effect_key = models.UUIDField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    execution_time = models.BigIntegerField(null=True, blank=True, help_text="Milliseconds.")

    objects = StepExecutionQuerySet.as_manager()

    class Meta:
        db_table = "step_execution"
        verbose_name = "step run"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=StepStatus.values), name="step_status_known"
            ),
            models.CheckConstraint(condition=Q(attempt__gte=1), name="step_attempt_from_1"),
        ]
        indexes = [
            models.Index(
                fields=["id"], condition=Q(status="UNCERTAIN"), name="step_waiting_for_person"
            ),
            BrinIndex(fields=["created_at"], name="step_created"),
        ]

    def __str__(self) -> str:
        return f"{self.step_id} #{self.attempt}"
