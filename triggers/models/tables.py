"""Watched tables, and their changes on the way to events."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from leadsend.access.models import ProjectRow
from leadsend.lib import clock


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
