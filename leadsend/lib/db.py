"""What Django's database layer does not know: tables partitioned by month, and plain SQL files.

A table is partitioned by ranges of its UUIDv7 primary key, so the key stays one column that
Django, admin and foreign keys understand, while old months are dropped, not deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState

from leadsend.lib import clock, ids

MONTHS_AHEAD = 3


class CreatePartitionedModel(migrations.CreateModel):
    """CreateModel for a table split by month, with a default partition and the next months."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Create the parent with PARTITION BY, then its first partitions."""
        plain = schema_editor.sql_create_table
        schema_editor.sql_create_table = f"{plain} PARTITION BY RANGE (id)"
        try:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        finally:
            schema_editor.sql_create_table = plain
        table = to_state.apps.get_model(app_label, self.name)._meta.db_table
        # Deferred statements (indexes) run later and reach the partitions through the parent.
        schema_editor.execute(f'CREATE TABLE "{table}_default" PARTITION OF "{table}" DEFAULT')
        for statement in partition_statements(table, clock.now()):
            schema_editor.execute(statement)


def partition_statements(table: str, now: datetime, *, months: int = MONTHS_AHEAD) -> Iterator[str]:
    """Yield the statements that make a table's partitions from this month on, if missing."""
    start = datetime(now.year, now.month, 1, tzinfo=UTC)
    for _ in range(months + 1):
        end = _next_month(start)
        yield (
            f'CREATE TABLE IF NOT EXISTS "{partition_name(table, start)}" PARTITION OF "{table}" '
            f"FOR VALUES FROM ('{ids.lowest_at(start)}') TO ('{ids.lowest_at(end)}')"
        )
        start = end


def partition_name(table: str, month: datetime) -> str:
    """Return the name of a table's partition for the month of a moment."""
    return f"{table}_{month:%Y_%m}"


def run_sql(forwards: str, backwards: str) -> migrations.RunSQL:
    """Return a migration operation for SQL that Django's models cannot say (views, triggers)."""
    return migrations.RunSQL(forwards, backwards)


def _next_month(start: datetime) -> datetime:
    return datetime(start.year + start.month // 12, start.month % 12 + 1, 1, tzinfo=UTC)


def values_of(choices: Any) -> list[str]:
    """Return the stored values of a TextChoices class, for check constraints."""
    return [str(value) for value in choices.values]
