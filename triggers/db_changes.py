"""Database changes: which tables are watched, and their changes on the way to the inbox.

A trigger on the table writes to the outbox in the writer's own transaction, so nothing is lost
while LeadSend is away and nothing is told that was rolled back (row_triggers.py). Draining moves
the rows to events. The outbox is emptied, never followed by a cursor: ids are given before the
commit, so ``id > last`` would pass over rows of slower transactions.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NoReturn
from uuid import UUID

import psycopg
from django.apps import apps
from django.db import DatabaseError, connection, transaction
from psycopg import AsyncConnection

from leadsend.lib import clock
from leadsend.lib.errors import Conflict, InvalidInput, NotFound, Unavailable
from triggers import draining_statements as statements
from triggers.models import Subscription, WatchedTable
from triggers.row_triggers import (
    DEFAULT_OPERATIONS,
    OPERATIONS,
    TableName,
    Watch,
    catch_up_statement,
    install_statements,
    table_name,
    uninstall_statement,
)
from workflows.models import Workflow

log = logging.getLogger(__name__)

MAX_DEPTH = 5
ALARM_AGE = timedelta(seconds=60)
_LOCK_TIMEOUT = "5s"
_WATCH_COLUMNS = ("key_column", "operations", "columns", "waiting_since")
_NOT_NOW = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedObject,
)
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
        values = {"limit": limit, "max_depth": MAX_DEPTH}
        cursor = await connection.execute(statements.DRAIN, values)
        (count,) = await cursor.fetchone() or (0,)
    return int(count)


async def install_waiting(connection: AsyncConnection) -> int:
    """Install the triggers of watched tables that exist by now; return how many.

    Of a table that did not exist when it was first watched, the rows that came before its trigger
    are recorded as added.
    """
    cursor = await connection.execute(statements.WAITING)
    waiting = [TableName(schema=schema, table=table) for schema, table in await cursor.fetchall()]
    count = 0
    for name in waiting:
        try:
            async with connection.transaction():
                count += await _install_waiting(connection, name)
        except _NOT_NOW as error:
            log.warning("table not watched yet", extra={"table": str(name), "error": str(error)})
    return count


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
    """Say whether a trigger with this ``cfg`` (operations, columns) asked for this change."""
    if data["op"] not in (cfg.get("operations") or DEFAULT_OPERATIONS):
        return False
    columns = cfg.get("columns")
    return not columns or data["op"] != "update" or bool(set(columns) & set(data["changed"]))


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
    exists, is_installed = _look_up(name)
    if is_new and not exists:
        row.waiting_since = clock.now()
    row.save()
    if exists and (not is_installed or before != (row.operations, row.columns, row.key_column)):
        install(name)
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


def install(name: TableName) -> None:
    """Make or replace a table's trigger so that it serves all its watches (at least one)."""
    with _said_plainly(name), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        cursor.execute(statements.INSTALL_TURN, [statements.INSTALL_LOCK])
        cursor.execute(statements.FIND_KEY, [name.schema, name.table])
        rows = _rows(name).order_by("id").values_list(*_WATCH_COLUMNS)
        for statement in _installing(name, list(rows), _home()):
            cursor.execute(statement)
        cursor.execute(statements.NO_LONGER_WAITING, [name.schema, name.table])
        cursor.execute("SET LOCAL lock_timeout TO DEFAULT")


def uninstall(name: TableName) -> None:
    """Take a table's trigger and its function away; the schema is as it was before."""
    with _said_plainly(name), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        cursor.execute(uninstall_statement(name, home=_home()))
        cursor.execute("SET LOCAL lock_timeout TO DEFAULT")


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
    exists, is_installed = _look_up(name)
    if exists and not is_installed and _rows(name).exists():
        install(name)
    return name


async def _install_waiting(connection: AsyncConnection, name: TableName) -> int:
    cursor = await connection.execute(statements.TAKE_TURN, [statements.INSTALL_LOCK])
    turn = await cursor.fetchone()
    if turn is None or not turn[0]:
        return 0
    await connection.execute("SET LOCAL lock_timeout = '1s'")
    await connection.execute(statements.FIND_KEY, [name.schema, name.table])
    cursor = await connection.execute(statements.WATCHES, [name.schema, name.table])
    rows = await cursor.fetchall()
    cursor = await connection.execute(statements.HOME)
    (home,) = await cursor.fetchone() or ("public",)
    for statement in _installing(name, rows, home):
        await connection.execute(statement.encode())
    await connection.execute(statements.NO_LONGER_WAITING, [name.schema, name.table])
    return 1


def _installing(name: TableName, rows: Sequence[Any], home: str) -> Iterator[str]:
    """Yield the statements of an installation, given the watches' rows of ``_WATCH_COLUMNS``."""
    if not rows:
        return
    watch = Watch.union(name, [row[:3] for row in rows])
    yield from install_statements(watch, home=home)
    if any(waiting_since for *_, waiting_since in rows) and "insert" in watch.operations:
        # The trigger's lock keeps writers out until the commit: no row is missed or told twice.
        yield catch_up_statement(watch, home=home)


def _remove(row: WatchedTable, name: TableName) -> None:
    row.delete()
    if _rows(name).exists():
        if _look_up(name)[0]:
            install(name)
        return
    uninstall(name)


def _rows(name: TableName) -> Any:
    return WatchedTable.objects.filter(schema_name=name.schema, table_name=name.table)


def _listeners(project_id: UUID, name: TableName) -> Any:
    return Subscription.objects.filter(project_id=project_id, source=name.source, is_active=True)


def _look_up(name: TableName) -> tuple[bool, bool]:
    """Return whether the table exists, and whether it has our trigger. Raises InvalidInput."""
    with connection.cursor() as cursor:
        cursor.execute(statements.LOOK_UP, [name.schema, name.table])
        row = cursor.fetchone()
    if row is None:
        return False, False
    kind, is_partition, is_installed = row
    if kind not in "rp" or is_partition:
        raise InvalidInput(f"{name} is a view, a partition or the like: watch a whole table.")
    return True, is_installed


def _refuse_closed(name: TableName) -> None:
    is_system = name.schema.startswith("pg_") or name.schema in _CLOSED_SCHEMAS
    if is_system or (name.schema == _home() and name.table in _own_tables()):
        raise InvalidInput(f"{name} is one of LeadSend's or PostgreSQL's own tables.")


def _own_tables() -> set[str]:
    models = apps.get_models(include_auto_created=True)
    return {"django_migrations"} | {model._meta.db_table for model in models}


def _home() -> str:
    with connection.cursor() as cursor:
        cursor.execute(statements.HOME)
        return str(cursor.fetchone()[0])


@contextmanager
def _said_plainly(name: TableName) -> Iterator[None]:
    try:
        yield
    except DatabaseError as error:
        _explain(name, error)


def _explain(name: TableName, error: DatabaseError) -> NoReturn:
    if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
        message = f"The table {name} is busy: a long transaction holds it. Try again later."
        raise Unavailable(message, code="table_busy") from error
    if isinstance(error.__cause__, psycopg.errors.InsufficientPrivilege):
        raise InvalidInput(
            f"LeadSend may not add a trigger to {name}: its database user must own the table."
        ) from error
    raise error
