"""What executions wait for: a moment, an answer, their turn."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from runtime.models.executions import Execution


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
