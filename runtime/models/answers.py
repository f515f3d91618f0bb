"""What runs answer to whoever called the webhook that started them."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from leadsend.access.models import Project, ProjectQuerySet


class WebhookAnswer(models.Model):
    """The first answer that a run gave; its id is the run's."""

    execution_id = models.UUIDField(primary_key=True)
    project = models.ForeignKey(
        Project, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.JSONField(null=True)
    is_text = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())

    objects = ProjectQuerySet.as_manager()

    class Meta:
        db_table = "webhook_answer"

    def __str__(self) -> str:
        return f"{self.status} of {self.execution_id}"
