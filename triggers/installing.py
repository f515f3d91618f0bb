"""Puts row triggers on watched tables, and takes them away.

People do it in a request (Django's connection), the pump for tables that come later (its own).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import psycopg
from django.db import DatabaseError, connection
from psycopg import AsyncConnection

from leadsend.lib.errors import InvalidInput, Unavailable
from triggers import draining_statements as statements
from triggers.models import WatchedTable
from triggers.row_triggers import (
    TableName,
    Watch,
    catch_up_statement,
    install_statements,
    uninstall_statement,
)

log = logging.getLogger(__name__)

_LOCK_TIMEOUT = "5s"
_WATCH_COLUMNS = ("key_column", "operations", "columns", "waiting_since")
_NOT_NOW = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedObject,
)


def install(name: TableName) -> None:
    """Make or replace a table's trigger so that it serves all its watches (at least one)."""
    with _said_plainly(name), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        cursor.execute(statements.INSTALL_TURN, [statements.INSTALL_LOCK])
        cursor.execute(statements.FIND_KEY, [name.schema, name.table])
        rows = (
            WatchedTable.objects.filter(schema_name=name.schema, table_name=name.table)
            .order_by("id")
            .values_list(*_WATCH_COLUMNS)
        )
        for statement in _installing(name, list(rows), home()):
            cursor.execute(statement)
        cursor.execute(statements.NO_LONGER_WAITING, [name.schema, name.table])
        cursor.execute("SET LOCAL lock_timeout TO DEFAULT")


def uninstall(name: TableName) -> None:
    """Take a table's trigger and its function away; the schema is as it was before."""
    with _said_plainly(name), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        cursor.execute(uninstall_statement(name, home=home()))
        cursor.execute("SET LOCAL lock_timeout TO DEFAULT")


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


def look_up(name: TableName) -> tuple[bool, bool]:
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


def home() -> str:
    """Return the schema in which LeadSend's own tables lie."""
    with connection.cursor() as cursor:
        cursor.execute(statements.HOME)
        return str(cursor.fetchone()[0])


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
    (own_schema,) = await cursor.fetchone() or ("public",)
    for statement in _installing(name, rows, own_schema):
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
            f"LeadSend may not add a trigger to {name}: let its database user own the table."
        ) from error
    raise error
