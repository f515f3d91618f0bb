"""What runs: executions, the attempts of their steps, tasks for people, kept mails, workers."""

from __future__ import annotations

from typing import ClassVar, Self
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Collate, Now, Upper

from leadsend.access.models import Project, ProjectQuerySet, ProjectRow, Team, User
from leadsend.lib import clock, ids
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


class ExecutionBatch(models.Model):
    """Executions that began in a process's memory and have no rows yet (``runtime/batches.py``).

    The arrays go together; ``target_numbers`` are places in ``targets``, a list of ``[project,
    workflow, version, subscription, trigger key, trigger type, time limit in seconds]``.
    """

    id = models.UUIDField(primary_key=True)
    worker_id = models.UUIDField()
    lease_until = models.DateTimeField()
    claimed_at = models.DateTimeField()
    targets = models.JSONField()
    execution_ids = ArrayField(models.UUIDField())
    event_ids = ArrayField(models.UUIDField())
    target_numbers = ArrayField(models.IntegerField())
    business_keys = ArrayField(models.TextField())
    replays = ArrayField(models.IntegerField())
    received_at = ArrayField(models.DateTimeField())

    class Meta:
        db_table = "execution_batch"
        verbose_name_plural = "execution batches"

    def __str__(self) -> str:
        return str(self.id)


class ExecutionTimer(models.Model):
    """When a waiting execution goes on: the earliest due moment of its steps, one row each.

    One that is debounced has not started yet. Its row has workflow and key, by which the next event
    finds it; what wakes, cancels or pauses it takes the row away, and with it that is over.
    """

    execution = models.OneToOneField(
        Execution,
        primary_key=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
    )
    due_at = models.DateTimeField(db_index=True)
    workflow_id = models.UUIDField(null=True, blank=True)
    debounce_key = models.CharField(max_length=300, null=True, blank=True)

    class Meta:
        db_table = "execution_timer"
        verbose_name = "timer"
        constraints = [
            models.UniqueConstraint(
                fields=["workflow_id", "debounce_key"],
                condition=Q(debounce_key__isnull=False),
                name="timer_one_per_debounce_key",
            )
        ]

    def __str__(self) -> str:
        return f"{self.execution_id} at {self.due_at:%Y-%m-%d %H:%M:%S}"


class WaitKind(models.TextChoices):
    """What a step waits for; CANCEL is a note that a run called by an ended one is to end too."""

    EVENT = "event", "An event"
    REPLY = "reply", "A reply"
    TASK = "task", "A task"
    EXECUTION = "execution", "Another run"
    CANCEL = "cancel", "To be cancelled"


class ExecutionWait(models.Model):
    """A step that waits to be answered; gone when the answer is recorded with the step.

    ``id`` is that of the step's row. An event answers by ``topic`` (its trigger or source) and what
    the expression ``match`` makes of it; all others by ``key`` alone: a message's, a task's, an
    execution's id. Whoever sets ``answered_at`` first has answered.
    """

    id = models.UUIDField(primary_key=True)
    project_id = models.UUIDField()
    execution_id = models.UUIDField(db_index=True)
    step_id = models.CharField(max_length=80)
    kind = models.CharField(max_length=9, choices=WaitKind.choices)
    topic = models.CharField(max_length=200, db_default="")
    match = models.CharField(max_length=300, db_default="")
    key = models.CharField(max_length=300, db_default="")
    answer = models.JSONField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "execution_wait"
        verbose_name = "wait"
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=WaitKind.values), name="wait_kind_known")
        ]
        indexes = [
            models.Index(
                fields=["project_id", "topic", "match", "key"],
                condition=Q(kind="event", answered_at__isnull=True),
                name="wait_for_event",
            ),
            models.Index(
                fields=["kind", "key"],
                condition=~Q(kind="event") & Q(answered_at__isnull=True),
                name="wait_by_key",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.step_id} waits for {self.kind}"


class ConcurrencyTurn(models.Model):
    """The turn of an execution whose workflow lets only ``most`` of a key run at once.

    ``is_held``: it waits (WAITING, never claimed) until enough of those before it have ended;
    ``is_ready`` is off while it is paused or debounced, so that others pass it. ``place`` orders by
    arrival. The row goes when the execution has ended; only the execution's own status counts. That
    of a failed one stays where the order is strict, until it was retried or released.
    """

    execution_id = models.UUIDField(primary_key=True)
    workflow_id = models.UUIDField()
    key = models.CharField(max_length=300)
    place = models.DateTimeField()
    most = models.SmallIntegerField()
    is_held = models.BooleanField()
    is_ready = models.BooleanField(db_default=True)
    is_strict = models.BooleanField(db_default=False)

    class Meta:
        db_table = "concurrency_turn"
        verbose_name = "turn"
        indexes = [
            models.Index(fields=["workflow_id", "key", "place"], name="turn_by_key"),
            models.Index(
                fields=["workflow_id", "key"], condition=Q(is_held=True), name="turn_held"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.execution_id}"


class RateLimit(models.Model):
    """How often a host or a credential may be called, by all engines together.

    ``key`` is ``host:<name>`` or ``credential:<id>``. ``tokens`` are left as of ``refilled_at``.
    """

    key = models.CharField(max_length=300, primary_key=True)
    amount = models.PositiveIntegerField(help_text="Calls in one period; as many may come at once.")
    period_s = models.FloatField(default=1.0, help_text="Seconds.")
    tokens = models.FloatField(db_default=0, editable=False)
    refilled_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "rate_limit"
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gte=1, period_s__gt=0), name="rate_limit_positive"
            )
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.amount} in {self.period_s:g} s"


class Circuit(models.Model):
    """Failures in a row of a host or credential in one project; gone with the first success.

    From the twentieth on nothing is sent there until ``open_until``; then one effect tries.
    """

    key = models.CharField(max_length=300, primary_key=True)
    project = models.ForeignKey(
        Project, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    name = models.CharField(max_length=300)
    failures = models.IntegerField()
    failed_at = models.DateTimeField()
    open_until = models.DateTimeField(null=True, blank=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        db_table = "circuit"

    def __str__(self) -> str:
        return f"{self.name} ({self.failures} failures)"


class Worker(models.Model):
    """An engine process that is, or was, at work."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    host = models.CharField(max_length=200)
    pid = models.IntegerField()
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    stopped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "worker"
        indexes = [models.Index(fields=["seen_at"], name="worker_seen")]

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


class TaskStatus(models.TextChoices):
    """States of a to-do."""

    PENDING = "PENDING", "Open"
    DONE = "DONE", "Done"
    CANCELLED = "CANCELLED", "Cancelled"


class TaskQuerySet(ProjectQuerySet):
    """Tasks as people look for them."""

    def open(self) -> Self:
        """Keep what is still to do."""
        return self.filter(status=TaskStatus.PENDING)

    def mine(self, user: User) -> Self:
        """Keep what is given to the user or to one of their teams."""
        return self.filter(Q(assignee=user) | Q(team__members=user)).distinct()


class Task(ProjectRow):
    """A to-do for a person or a team. ``effect_key`` makes its creation by a step unique."""

    title = models.CharField(max_length=300)
    description = models.TextField(blank=True)
    status = models.CharField(max_length=10, choices=TaskStatus.choices, default=TaskStatus.PENDING)
    priority = models.CharField(
        max_length=8,
        choices=[("low", "Low"), ("normal", "Normal"), ("high", "High")],
        default="normal",
    )
    assignee = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    team = models.ForeignKey(
        Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    due_at = models.DateTimeField(null=True, blank=True)
    workflow = models.ForeignKey(
        Workflow, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    execution = models.ForeignKey(
        Execution,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
    )
    step_id = models.CharField(max_length=80, blank=True)
    business_key = models.CharField(max_length=300, blank=True)
    effect_key = models.UUIDField(null=True, blank=True, unique=True, editable=False)
    form = models.JSONField(
        null=True, blank=True, help_text='Of an approval: {"answers": […], "fields": […]}.'
    )
    answer = models.JSONField(null=True, blank=True)
    completed_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    completed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    objects: ClassVar = TaskQuerySet.as_manager()

    class Meta:
        db_table = "tasks"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=TaskStatus.values), name="task_status_known"
            )
        ]
        indexes = [
            models.Index(fields=["project", "status", "-id"], name="task_by_status"),
        ]

    def __str__(self) -> str:
        return self.title


class OutboxMail(ProjectRow):
    """A mail as it was sent or, in outbox mode, kept instead of sent. Its id is its effect key."""

    execution_id = models.UUIDField(null=True, blank=True)
    step_id = models.CharField(max_length=80, blank=True)
    mode = models.CharField(max_length=8, choices=[("outbox", "Kept"), ("smtp", "Sent")])
    message_id = models.CharField(max_length=254, unique=True)
    sender = models.CharField(max_length=254)
    to = models.TextField()
    subject = models.CharField(max_length=998)
    text = models.TextField()
    html = models.TextField(blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        db_table = "outbox_mail"
        verbose_name = "mail"
        indexes = [models.Index(fields=["project", "-created_at"], name="mail_newest")]

    def __str__(self) -> str:
        return self.subject


class BulkStatus(models.TextChoices):
    """States of a bulk job; the last two are final."""

    RUNNING = "RUNNING", "Running"
    DONE = "DONE", "Done"
    CANCELLED = "CANCELLED", "Cancelled"


class BulkJob(ProjectRow):
    """One act on many executions, worked off at a rate. ``worked_at`` is when it last went on.

    ``filter`` is what was asked for, ``options`` the arguments of the act beside the execution.
    """

    act = models.CharField(max_length=10)
    filter = models.JSONField(default=dict)
    options = models.JSONField(default=dict)
    per_second = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=10, choices=BulkStatus.choices, default=BulkStatus.RUNNING)
    total = models.IntegerField(default=0)
    done = models.IntegerField(default=0)
    refused = models.IntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    worked_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "bulk_job"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=BulkStatus.values), name="bulk_status_known"
            )
        ]
        indexes = [
            models.Index(
                fields=["worked_at"], condition=Q(status="RUNNING"), name="bulk_job_running"
            ),
            models.Index(fields=["project", "-id"], name="bulk_job_by_project"),
        ]

    def __str__(self) -> str:
        return f"{self.act} {self.total} runs"


class BulkItemStatus(models.TextChoices):
    """What became of one execution of a bulk job."""

    WAITING = "WAITING", "Waiting"
    DONE = "DONE", "Done"
    REFUSED = "REFUSED", "Refused"


class BulkItem(models.Model):
    """One execution of a bulk job. ``result_id`` is the new execution of a retry or replay.

    Numbered by the database: a hundred thousand are inserted by one statement.
    """

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(BulkJob, on_delete=models.CASCADE, related_name="items", db_index=False)
    execution_id = models.UUIDField()
    status = models.CharField(max_length=8, choices=BulkItemStatus.choices)
    message = models.CharField(max_length=500, blank=True)
    result_id = models.UUIDField(null=True, blank=True)

    class Meta:
        db_table = "bulk_item"
        constraints = [
            # The same execution never gets an act twice from one job.
            models.UniqueConstraint(fields=["job", "execution_id"], name="bulk_item_once"),
            models.CheckConstraint(
                condition=Q(status__in=BulkItemStatus.values), name="bulk_item_status_known"
            ),
        ]
        indexes = [
            models.Index(
                fields=["job", "id"], condition=Q(status="WAITING"), name="bulk_item_waiting"
            )
        ]

    def __str__(self) -> str:
        return f"{self.execution_id}: {self.status}"
