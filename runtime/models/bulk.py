"""One act on many executions."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from leadsend.access.models import ProjectRow, User


class BulkStatus(models.TextChoices):
    """States of a bulk job; the last two are final."""

    RUNNING = "RUNNING", "Running"
    DONE = "DONE", "Done"
    CANCELLED = "CANCELLED", "Cancelled"


class RatedJob(ProjectRow):
    """Base of jobs on many things, worked off at a rate. ``worked_at`` is when one last went on.

    ``filter`` is what was asked for.
    """

    filter = models.JSONField(default=dict)
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
        abstract = True


class BulkJob(RatedJob):
    """One act on many executions. ``options`` are its arguments beside the execution."""

    act = models.CharField(max_length=10)
    options = models.JSONField(default=dict)

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
