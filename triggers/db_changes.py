"""Database changes: which tables are watched, and their changes on the way to the inbox.

A trigger on the table writes to the outbox in the writer's own transaction, so nothing is lost
while LeadSend is away and nothing is told that was rolled back (row_triggers.py). Draining moves
the rows to events. The outbox is emptied, never followed by a cursor: ids are given before the
commit, so ``id > last`` would pass over rows of slower transactions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import connection, transaction
from psycopg import AsyncConnection

from leadsend.lib import clock
from leadsend.lib.errors import Conflict, InvalidInput, NotFound
from triggers import draining_statements as statements
from triggers import installing
from triggers.models import Subscription, WatchedTable
from triggers.row_triggers import (
    DEFAULT_OPERATIONS,
    OPERATIONS,
    SECRET_COLUMNS,
    TableName,
    table_name,
)
from workflows.models import Workflow

MAX_DEPTH = 5
ALARM_AGE = timedelta(seconds=60)
# Not the business of workflows, whoever asks: their rows hold sessions, secrets and our own work.
_CLOSED_SCHEMAS = ("information_schema", "pgmq")


async def drain(connection: AsyncConnection, limit: int = 500) -> int:
    """Move up to ``limit`` changes to events, one for each project that watches; return the events.

    1. One at a time: two drains could bring two changes of one row in the wrong order.
    2. Delete from the outbox and write events and inbox rows in one statement, so in one commit.

    Changes from a chain deeper than 5 are kept as events that start nothing. Raises psycopg.Error
    when the database is away.
    """
    async with connection.transaction():
        cursor = await connection.execute(statements.TAKE_TURN, [statements.DRAIN_LOCK])
        row = await cursor.fetchone()
        if row is None or not row[0]:
            return 0
        values = {"limit": limit, "max_depth": MAX_DEPTH, "secrets": list(SECRET_COLUMNS)}
        cursor = await connection.execute(statements.DRAIN, values)
        (count,) = await cursor.fetchone() or (0,)
    return int(count)


def keep(workflow: Workflow, trigger_id: str, cfg: Mapping[str, Any]) -> str:
    """Watch the table of a trigger for the workflow's project; return the source of its events.

    ``cfg``: ``table``, ``operations`` (default: insert, update). A table that does not exist yet
    is waited for. Raises InvalidInput, Unavailable when the table is busy.
    """
    name = table_name(str(cfg.get("table", "")))
    watch(workflow.project_id, name, operations=cfg.get("operations") or DEFAULT_OPERATIONS)
    return name.source


def drop(workflow: Workflow, trigger_id: str, cfg: Mapping[str, Any]) -> None:
    """Stop watching for a trigger, unless others listen or the watch was made by hand."""
    name = table_name(str(cfg.get("table", "")))
    listeners = _listeners(workflow.project_id, name)
    row = _rows(name).filter(project_id=workflow.project_id).first()
    if row is None or row.is_by_hand:
        return
    if not listeners.exclude(workflow=workflow, trigger_id=trigger_id).exists():
        _remove(row, name)


def is_wanted(cfg: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    """Say whether a trigger with this ``cfg`` (operations, columns, changes) asked for this change.

    ``changes`` is a list of ``{"column", "from"?, "to"?}``, of which one must have happened.
    """
    if data["op"] not in (cfg.get("operations") or DEFAULT_OPERATIONS):
        return False
    if data["op"] != "update":
        return True
    columns, changes = cfg.get("columns"), cfg.get("changes")
    if columns and not set(columns) & set(data["changed"]):
        return False
    return not changes or any(_has_happened(change, data) for change in changes)


def _has_happened(change: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    column = change["column"]
    if column not in data["changed"]:
        return False
    sides = (("from", data["old"]), ("to", data["new"]))
    return all(_as_text(row.get(column)) == change[name] for name, row in sides if name in change)


def _as_text(value: Any) -> str:
    """Return a value as people write it: nothing is empty, a truth is true or false."""
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool | list | dict) else str(value)


@transaction.atomic
def watch(
    project_id: UUID,
    name: TableName,
    *,
    operations: Sequence[str],
    columns: Sequence[str] | None = None,
    key_column: str = "id",
    is_by_hand: bool = False,
) -> WatchedTable:
    """Watch a table for a project; a watch that exists is widened by the operations.

    By hand, ``columns`` (None: all) and ``key_column`` are set, too. ``waiting_since`` of the
    answer is set when the table does not exist yet.
    """
    _refuse_closed(name)
    row: WatchedTable
    row, is_new = WatchedTable.objects.select_for_update().get_or_create(
        project_id=project_id,
        schema_name=name.schema,
        table_name=name.table,
        defaults={"operations": [], "key_column": key_column},
    )
    before = (row.operations, row.columns, row.key_column)
    row.operations = [one for one in OPERATIONS if one in {*row.operations, *operations}]
    if is_by_hand:
        row.columns, row.key_column, row.is_by_hand = columns, key_column, True
    exists, is_installed = installing.look_up(name)
    if is_new and not exists:
        row.waiting_since = clock.now()
    row.save()
    if exists and (not is_installed or before != (row.operations, row.columns, row.key_column)):
        installing.install(name)
        row.refresh_from_db()
    return row


@transaction.atomic
def unwatch(project_id: UUID, name: TableName) -> None:
    """Stop watching. Raises NotFound, and Conflict while workflows listen."""
    row = _rows(name).filter(project_id=project_id).first()
    if row is None:
        raise NotFound(f"The table {name} is not watched.")
    listening = _listeners(project_id, name).select_related("workflow")
    if listening.exists():
        names = ", ".join(sorted({f"“{one.workflow}”" for one in listening}))
        raise Conflict(f"Workflows listen to the table {name}: retire {names} first.")
    _remove(row, name)


def health() -> dict[str, Any]:
    """Return ``{"oldest_s": seconds or None, "changes": n, "waiting": [tables], "is_late": bool}``.

    ``oldest_s`` is the age of the oldest change in the outbox, ``waiting`` names watched tables
    without a trigger, because they do not exist or LeadSend may not add one.
    """
    with connection.cursor() as cursor:
        cursor.execute(statements.OUTBOX_AGE)
        oldest_s, changes = cursor.fetchone()
        cursor.execute(statements.WITHOUT_TRIGGER)
        waiting = [str(TableName(schema=row[0], table=row[1])) for row in cursor.fetchall()]
    is_late = oldest_s is not None and oldest_s > ALARM_AGE.total_seconds()
    return {"oldest_s": oldest_s, "changes": changes, "waiting": waiting, "is_late": is_late}


@transaction.atomic
def create_lead_sources() -> TableName:
    """Create the demo's table of leads if it is missing, with its trigger if it is waited for."""
    name = TableName(schema="public", table="lead_sources")
    with connection.cursor() as cursor:
        cursor.execute(statements.LEAD_SOURCES)
    exists, is_installed = installing.look_up(name)
    if exists and not is_installed and _rows(name).exists():
        installing.install(name)
    return name


def _remove(row: WatchedTable, name: TableName) -> None:
    row.delete()
    if _rows(name).exists():
        if installing.look_up(name)[0]:
            installing.install(name)
        return
    installing.uninstall(name)


def _rows(name: TableName) -> Any:
    return WatchedTable.objects.filter(schema_name=name.schema, table_name=name.table)


def _listeners(project_id: UUID, name: TableName) -> Any:
    return Subscription.objects.filter(project_id=project_id, source=name.source, is_active=True)


def _refuse_closed(name: TableName) -> None:
    is_system = name.schema.startswith("pg_") or name.schema in _CLOSED_SCHEMAS
    if is_system or (name.schema == installing.home() and name.table in _own_tables()):
        raise InvalidInput(f"{name} is one of LeadSend's or PostgreSQL's own tables.")


def _own_tables() -> set[str]:
    models = apps.get_models(include_auto_created=True)
    return {"django_migrations"} | {model._meta.db_table for model in models}
