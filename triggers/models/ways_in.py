"""Addresses that others send to: webhooks, with what they refused, and forms."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from leadsend.access.models import ProjectRow
from leadsend.lib import clock, ids
from workflows.models import Workflow


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
