"""Which workflow listens to what."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models

from leadsend.access.models import ProjectQuerySet, ProjectRow
from leadsend.lib import clock
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
