"""When workflows start by the clock, and every time that came."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from leadsend.access.models import ProjectRow
from leadsend.lib import clock
from workflows.models import Workflow


class MissedPolicy(models.TextChoices):
    """What becomes of ticks that fell into a downtime."""

    SKIP = "skip", "Leave them out"
    LATEST = "latest", "Run the latest once"
    ALL = "all", "Run all (at most 100)"


class ScheduleTrigger(ProjectRow):
    """When a workflow starts: rules in words or as cron, one on each line.

    ``next_due_at`` is when the next tick fires, in UTC; null while the schedule is off or paused.
    ``jitter_s``: the ticks fire up to so many seconds after their time, always by the same span.
    ``skips_holidays`` goes by the calendar of ``calendar_key``, else the usual one.
    """

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="+")
    trigger_id = models.CharField(max_length=80)
    cron = models.TextField()
    timezone = models.CharField(max_length=64, default="UTC")
    jitter_s = models.PositiveIntegerField(default=0)
    skips_holidays = models.BooleanField(default=False)
    calendar_key = models.CharField(max_length=80, blank=True)
    missed_policy = models.CharField(
        max_length=8, choices=MissedPolicy.choices, default=MissedPolicy.LATEST
    )
    is_active = models.BooleanField(default=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    next_due_at = models.DateTimeField(null=True, blank=True)
    last_due_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        db_table = "schedule_trigger"
        verbose_name = "schedule"
        constraints = [
            models.UniqueConstraint(
                fields=["workflow", "trigger_id"], name="schedule_trigger_once"
            ),
            models.CheckConstraint(
                condition=Q(missed_policy__in=MissedPolicy.values),
                name="schedule_missed_policy_known",
            ),
        ]
        indexes = [
            models.Index(fields=["next_due_at"], condition=Q(is_active=True), name="schedule_due"),
        ]

    def __str__(self) -> str:
        return f"{self.cron} ({self.timezone})"


class ScheduleTick(ProjectRow):
    """One tick that was fired or left out; unique, so no tick can fire twice."""

    schedule = models.ForeignKey(ScheduleTrigger, on_delete=models.PROTECT, related_name="ticks")
    tick_at = models.DateTimeField()
    event_id = models.UUIDField(null=True, blank=True)
    skipped_because = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "schedule_tick"
        constraints = [
            models.UniqueConstraint(fields=["schedule", "tick_at"], name="schedule_tick_once")
        ]

    def __str__(self) -> str:
        return f"{self.tick_at:%Y-%m-%d %H:%M:%S}"
