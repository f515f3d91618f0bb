"""Takes objects away that no row refers to any more: mark what rows name, sweep what is old.

Days that are over are swept, from two days on. Nobody writes an object of such a day, so a row that
names one is older than this pass, or was copied from a row that is. Events are read before the
executions made of them, and those before their steps, so that no copy slips through between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import connection

from leadsend.lib import objects
from leadsend.lib.payloads import Reference
from runtime.ending import database_now
from runtime.payloads import FOLDER, key_of

KEPT_DAYS: Final = 2
_CHUNK: Final = 20_000
_COLUMNS: Final = {
    "trigger_event": ("data", "request"),
    "workflow_execution": ("context_data", "request_data", "output"),
    "step_execution": ("input_data", "result_data"),
}


def sweep() -> int:
    """Delete objects of large values that no row names; return how many.

    Reads all rows once, in pieces, when there is a day to sweep; holds 16 bytes for each value that
    is still named. Raises Unavailable when the storage is away.
    """
    last = f"{database_now() - timedelta(days=KEPT_DAYS):%Y-%m-%d}"
    days = [day for day in objects.names(FOLDER)[0] if day <= last]
    if not days:
        return 0
    named = {_mark(reference, project) for project, reference in _references()}
    return sum(_sweep_day(day, named) for day in days)


def _sweep_day(day: str, named: set[bytes]) -> int:
    count = 0
    for project in objects.names(f"{FOLDER}/{day}")[0]:
        for digest in objects.names(f"{FOLDER}/{day}/{project}")[1]:
            reference = Reference(day, digest, 0)
            if len(digest) == 64 and _mark(reference, UUID(project)) not in named:
                objects.delete(key_of(reference, UUID(project)))
                count += 1
    return count


def _mark(reference: Reference, project: UUID) -> bytes:
    return hashlib.blake2b(key_of(reference, project).encode(), digest_size=16).digest()


def _references() -> Iterator[tuple[UUID, Reference]]:
    for table, columns in _COLUMNS.items():
        query = _query(table, columns)
        after = UUID(int=0)
        while True:
            with connection.cursor() as cursor:
                cursor.execute(query, [after, _CHUNK])
                rows = cursor.fetchall()
            for _, project, *places in rows:
                for day, digest in zip(places[::2], places[1::2], strict=True):
                    if digest:
                        yield project, Reference(day, digest, 0)
            if len(rows) < _CHUNK:
                break
            after = rows[-1][0]


def _query(table: str, columns: tuple[str, ...]) -> str:
    # The size is looked at first: it is known without reading a value that lies in the toast.
    has = " OR ".join(
        f"CASE WHEN pg_column_size({name}) < 300 THEN {name} ? '$payload' END" for name in columns
    )
    parts = ", ".join(
        f"{name} #>> '{{$payload,day}}', {name} #>> '{{$payload,sha256}}'" for name in columns
    )
    return (
        f"SELECT id, project_id, {parts} FROM {table} "  # noqa: S608 - names of our own
        f"WHERE id > %s AND ({has}) ORDER BY id LIMIT %s"
    )
