"""Every event that ever arrived, its identity, its way to dispatch, and many of them replayed."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from leadsend.access.models import Project, ProjectQuerySet, ProjectRow
from leadsend.lib.payload_field import PayloadField
from runtime.models import BulkStatus, RatedJob
from triggers.models.subscriptions import Subscription


class TriggerEvent(models.Model):
    """One recorded happening. Kept whether or not something matched; ``fate`` says why not.

    ``fate`` is null while undecided or when executions were started, else ``{"code", "reason"}``.
    """

    id = models.UUIDField(primary_key=True)
    project = models.ForeignKey(
        Project, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    trigger_key = models.CharField(max_length=80)
    trigger_type = models.CharField(max_length=20)
    source = models.CharField(max_length=200)
    dedupe_key = models.CharField(max_length=300, null=True, blank=True)
    data = PayloadField(null=True)
    request = PayloadField(null=True, blank=True)
    is_sample = models.BooleanField(db_default=False)
    fate = models.JSONField(null=True, blank=True)
    received_at = models.DateTimeField(db_default=Now())

    objects = ProjectQuerySet.as_manager()

    class Meta:
        db_table = "trigger_event"
        verbose_name = "event"
        indexes = [
            models.Index(fields=["project", "-id"], name="event_newest"),
            BrinIndex(fields=["received_at"], name="event_received"),
        ]

    def __str__(self) -> str:
        return f"{self.trigger_key} {self.received_at:%Y-%m-%d %H:%M:%S}"


class ReplayJob(RatedJob):
    """Many events offered anew, to all or to one ``subscription``.

    ``last_id`` is the event that it came to, ``newest_id`` the newest event that fitted when it was
    begun: later ones are left alone.
    """

    subscription = models.ForeignKey(
        Subscription, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    newest_id = models.UUIDField()
    last_id = models.UUIDField(null=True, blank=True)

    class Meta:
        db_table = "replay_job"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=BulkStatus.values), name="replay_status_known"
            )
        ]
        indexes = [
            models.Index(
                fields=["worked_at"], condition=Q(status="RUNNING"), name="replay_job_running"
            ),
            models.Index(fields=["project", "-id"], name="replay_job_by_project"),
        ]

    def __str__(self) -> str:
        return f"replay of {self.total} events"


class EventKey(ProjectRow):
    """The identity a sender gave an event, kept 30 days; ``answer`` is what the first one got."""

    source = models.CharField(max_length=200)
    key = models.CharField(max_length=300)
    event_id = models.UUIDField()
    answer = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "event_key"
        constraints = [
            models.UniqueConstraint(fields=["source", "key"], name="event_key_once"),
        ]
        indexes = [models.Index(fields=["created_at"], name="event_key_age")]

    def __str__(self) -> str:
        return self.key


class InboxEntry(models.Model):
    """An accepted event that dispatch has not looked at yet; the row is deleted when it has.

    ``subscription_id`` limits a replay or a manual run to one subscription; ``replay`` is its
    number, 0 for the first time. ``workflow_id`` starts that workflow whatever is subscribed.
    """

    id = models.UUIDField(primary_key=True)
    event_id = models.UUIDField()
    subscription_id = models.UUIDField(null=True, blank=True)
    workflow_id = models.UUIDField(null=True, blank=True)
    replay = models.IntegerField(db_default=0)
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "trigger_inbox"
        verbose_name_plural = "inbox entries"

    def __str__(self) -> str:
        return str(self.event_id)
