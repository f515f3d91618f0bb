"""What starts work: subscriptions, the ways in, and every event that ever arrived."""

from __future__ import annotations

from typing import ClassVar, Self

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from leadsend.access.models import Project, ProjectQuerySet, ProjectRow, User
from leadsend.lib import clock, ids
from leadsend.lib.payload_field import PayloadField
from runtime.models import BulkStatus
from workflows.models import Workflow


class SubscriptionQuerySet(ProjectQuerySet):
    """Subscriptions as dispatch and people look for them."""

    def listening(self) -> Self:
        """Keep those that events may start."""
        return self.filter(is_active=True, paused_at__isnull=True)


class Subscription(ProjectRow):
    """The link of a workflow to one of its triggers, with a filter.

    ``source`` is where the events come from: ``webhook:<endpoint id>``, ``form:<form id>``,
    ``schedule:<schedule id>``, ``table:<schema>.<table>``, ``manual:<workflow id>``. An event is offered to the subscriptions
    of its source only, so their number elsewhere costs nothing.
    """

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="subscriptions")
    trigger_id = models.CharField(max_length=80, help_text="The trigger's id in the document.")
    trigger_key = models.CharField(max_length=80)
    source = models.CharField(max_length=200)
    cfg = models.JSONField(default=dict)
    filter_conditions = models.JSONField(default=dict, blank=True)
    is_active = models.BooleanField(default=True, help_text="Follows the published version.")
    paused_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    objects: ClassVar = SubscriptionQuerySet.as_manager()

    class Meta:
        db_table = "workflow_subscription"
        verbose_name = "subscription"
        constraints = [
            models.UniqueConstraint(
                fields=["workflow", "trigger_id"], name="subscription_trigger_once"
            )
        ]
        indexes = [
            # All of them: dispatch asks also for those that are off or paused, to say so.
            models.Index(fields=["source"], name="subscription_by_source"),
            models.Index(fields=["trigger_key"], name="subscription_by_key"),
        ]

    def __str__(self) -> str:
        return f"{self.workflow_id} on {self.trigger_key}"


class AuthMode(models.TextChoices):
    """How a webhook's sender proves itself."""

    STANDARD_WEBHOOKS = "standard_webhooks", "Signature (Standard Webhooks)"
    HMAC = "hmac", "Signature (HMAC)"
    HEADER = "header", "Secret header"
    BASIC = "basic", "Name and password"
    GITHUB = "github", "GitHub"
    SHOPIFY = "shopify", "Shopify"
    STRIPE = "stripe", "Stripe"
    SLACK = "slack", "Slack"
    NONE = "none", "None (anybody may send)"


class AnswerMode(models.TextChoices):
    """When a webhook's sender is answered."""

    AT_ONCE = "at_once", "At once"
    BY_RUN = "by_run", "By the run"


class WebhookEndpoint(ProjectRow):
    """An address that receives events. Secrets are sealed; the old one stays good in a rotation."""

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="+")
    trigger_id = models.CharField(max_length=80)
    name = models.CharField(max_length=200, blank=True)
    token = models.CharField(max_length=64, unique=True)
    methods = models.JSONField(default=list)
    auth_mode = models.CharField(max_length=20, choices=AuthMode.choices)
    auth_cfg = models.JSONField(default=dict)
    sealed_secret = models.TextField(blank=True, editable=False)
    sealed_previous_secret = models.TextField(blank=True, editable=False)
    previous_valid_until = models.DateTimeField(null=True, blank=True, editable=False)
    event_key_template = models.CharField(max_length=300, blank=True)
    origins = models.JSONField(default=list, help_text="Websites whose scripts may send.")
    per_minute = models.PositiveIntegerField(null=True, blank=True)
    most_bytes = models.PositiveIntegerField(null=True, blank=True)
    answer_mode = models.CharField(
        max_length=8, choices=AnswerMode.choices, default=AnswerMode.AT_ONCE
    )
    longest_wait_s = models.PositiveSmallIntegerField(default=25)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        db_table = "webhook_endpoint"
        constraints = [
            models.UniqueConstraint(
                fields=["workflow", "trigger_id"], name="endpoint_trigger_once"
            ),
            models.CheckConstraint(
                condition=Q(auth_mode__in=AuthMode.values), name="endpoint_auth_mode_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.token[:8]


class WebhookRefusal(ProjectRow):
    """Requests to a webhook that started nothing: refused, or heard before. Kept two weeks.

    ``count`` equal ones within a second are one row; ``status`` is what was answered.
    """

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    # No constraint: what a process had counted of an endpoint that went meanwhile harms nobody.
    endpoint = models.ForeignKey(
        WebhookEndpoint,
        on_delete=models.CASCADE,
        related_name="refusals",
        db_constraint=False,
        db_index=False,
    )
    status = models.PositiveSmallIntegerField()
    code = models.CharField(max_length=40)
    message = models.CharField(max_length=300)
    event_id = models.UUIDField(null=True, blank=True)
    count = models.PositiveIntegerField(default=1)
    received_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "webhook_refusal"
        verbose_name = "refused request"
        indexes = [
            models.Index(fields=["endpoint", "-received_at"], name="refusal_newest"),
            models.Index(fields=["received_at"], name="refusal_received"),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.code}"


class HostedForm(ProjectRow):
    """A form that LeadSend shows at an address of its own; ``cfg`` is what its trigger says."""

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="+")
    trigger_id = models.CharField(max_length=80)
    token = models.CharField(max_length=64, unique=True)
    cfg = models.JSONField(default=dict)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        db_table = "hosted_form"
        verbose_name = "form"
        constraints = [
            models.UniqueConstraint(fields=["workflow", "trigger_id"], name="form_trigger_once"),
        ]

    def __str__(self) -> str:
        return str(self.cfg.get("title") or self.token[:8])

    @property
    def source(self) -> str:
        """Return where the events of this form come from."""
        return f"form:{self.pk}"


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


class ReplayJob(ProjectRow):
    """Many events offered anew at a rate, to all or to one ``subscription``.

    ``last_id`` is the event that it came to, ``newest_id`` is the newest event that fitted when it was begun: later ones are left alone.
    """

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    filter = models.JSONField(default=dict)
    per_second = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=10, choices=BulkStatus.choices, default=BulkStatus.RUNNING)
    total = models.IntegerField(default=0)
    done = models.IntegerField(default=0)
    refused = models.IntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)
    subscription = models.ForeignKey(
        Subscription, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    newest_id = models.UUIDField()
    last_id = models.UUIDField(null=True, blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    worked_at = models.DateTimeField(default=clock.now, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)

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


class WatchedTable(ProjectRow):
    """A table whose changes become events of a project."""

    schema_name = models.CharField(max_length=63, default="public")
    table_name = models.CharField(max_length=63)
    key_column = models.CharField(max_length=63, default="id")
    operations = models.JSONField(default=list)
    columns = models.JSONField(null=True, blank=True, help_text="Empty: all columns.")
    is_by_hand = models.BooleanField(
        default=False, help_text="Stays when no workflow listens any more."
    )
    waiting_since = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Set while the table does not exist yet."
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        db_table = "watched_table"
        constraints = [
            models.UniqueConstraint(
                fields=["project", "schema_name", "table_name"], name="watched_table_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.schema_name}.{self.table_name}"


class TableChange(models.Model):
    """One row change, written by the watched table's trigger in the writer's own transaction.

    ``changed`` names the changed columns of rows that are too large to be carried.
    """

    id = models.BigAutoField(primary_key=True)
    schema_name = models.TextField()
    table_name = models.TextField()
    op = models.CharField(max_length=8)
    row_key = models.TextField(null=True)
    old_row = models.JSONField(null=True)
    new_row = models.JSONField(null=True)
    changed = models.JSONField(null=True)
    depth = models.IntegerField(db_default=0)
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "table_change_outbox"
        verbose_name = "table change"

    def __str__(self) -> str:
        return f"{self.op} {self.table_name}"
