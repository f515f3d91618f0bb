"""Rows in the text form of COPY. Written by hand: the driver's own way costs five times as much."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from leadsend.lib.postgres import Connection

NULL: Final = "\\N"


def copy_in(connection: Connection, statement: str, lines: Iterable[str]) -> None:
    """Copy rows in; each line is made by ``line``."""
    with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.write("".join(lines).encode())


def line(*columns: str) -> str:
    """Return a row of columns that were made by the functions below, or are plain numbers."""
    return "\t".join(columns) + "\n"


def text(value: str) -> str:
    """Return any text."""
    if "\\" in value:
        value = value.replace("\\", "\\\\")
    if value.isprintable():
        return value
    return value.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def json(value: str | None) -> str:
    """Return JSON text, which holds no tabs or line ends: they are written as escapes in it."""
    if value is None:
        return NULL
    return value.replace("\\", "\\\\") if "\\" in value else value


def uuid(value: UUID | None) -> str:
    """Return an id; PostgreSQL reads it without its hyphens, which cost more than all else."""
    return NULL if value is None else f"{value.int:032x}"


def moment(value: datetime | None) -> str:
    """Return a point in time."""
    return NULL if value is None else value.isoformat()


def number(value: int | None) -> str:
    """Return a whole number."""
    return NULL if value is None else str(value)


def milliseconds(start: datetime | None, end: datetime | None) -> int | None:
    """Return how long something took, None while it has not begun or ended."""
    if start is None or end is None:
        return None
    return max(0, int((end - start).total_seconds() * 1000))
