"""What watching costs a table's writers, and how fast its changes become events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from uuid import UUID

from leadsend.access.models import Project
from leadsend.lib import postgres
from triggers import db_changes
from triggers.group_commit import connect
from triggers.models import TriggerEvent, WatchedTable
from triggers.row_triggers import TableName

ROUNDS, WRITES, DRAINED = 10, 200, 5_000
_SCHEMA = "leadsend_bench"
_LEAD = "'Ada Byron', 'ada@example.org', '+44 20', 'Analytical Engines', 'website', 'new', 80"
_WATCHED = TableName(schema=_SCHEMA, table="watched")


def run() -> dict[str, float]:
    """Return microseconds a committed write (median), plain and watched, and their ratio.

    Inserts, updates and deletes of one lead a transaction, the two tables in turn (10 rounds of
    200), on a server as it is: ``synchronous_commit`` on. ``drained_per_s`` counts events. Works
    in a schema and project of its own and removes both.
    """
    with _tables() as link:
        figures = _writes(link)
        figures["drained_per_s"] = _drained_per_s(link)
    return figures


def _writes(link: postgres.Connection) -> dict[str, float]:
    times: dict[str, list[float]] = {"plain": [], "watched": []}
    for _ in range(ROUNDS):
        for table, taken in times.items():
            taken.extend(_timed(link, table))
    plain, watched = median(times["plain"]), median(times["watched"])
    return {"plain_us": plain, "watched_us": watched, "ratio_watched_to_plain": watched / plain}


def _timed(link: postgres.Connection, table: str) -> Iterator[float]:
    statements = (
        f"INSERT INTO {_SCHEMA}.{table} VALUES (%s, {_LEAD})",
        f"UPDATE {_SCHEMA}.{table} SET status = 'called', score = 90 WHERE id = %s",
        f"DELETE FROM {_SCHEMA}.{table} WHERE id = %s",
    )
    for number in range(WRITES):
        for statement in statements:
            start = time.perf_counter()
            link.execute(statement, [number])
            yield (time.perf_counter() - start) * 1_000_000


def _drained_per_s(link: postgres.Connection) -> float:
    asyncio.run(_drain())
    link.execute(
        f"INSERT INTO {_SCHEMA}.watched SELECT n, 'Ada', 'a@example.org', '', '', '', 'new', n "
        "FROM generate_series(1, %s) n",
        [DRAINED],
    )
    start = time.perf_counter()
    count = asyncio.run(_drain())
    return count / (time.perf_counter() - start)


async def _drain() -> int:
    count = 0
    async with await connect() as link:
        while moved := await db_changes.drain(link):
            count += moved
    return count


@contextmanager
def _tables() -> Iterator[postgres.Connection]:
    project = Project.objects.create(name=_SCHEMA, slug=f"{_SCHEMA}-{time.time_ns()}")
    with postgres.connect("bench") as link:
        try:
            _create(link, project.pk)
            yield link
        finally:
            _remove(link, project)


def _create(link: postgres.Connection, project_id: UUID) -> None:
    link.execute(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")
    link.execute(f"CREATE SCHEMA {_SCHEMA}")
    for name in ("plain", "watched"):
        link.execute(
            f"CREATE TABLE {_SCHEMA}.{name} (id int PRIMARY KEY, name text, email text, phone text,"
            " company text, source text, status text, score int)"
        )
    db_changes.watch(project_id, _WATCHED, operations=["insert", "update", "delete"])


def _remove(link: postgres.Connection, project: Project) -> None:
    for row in WatchedTable.objects.filter(project=project):
        db_changes.unwatch(project.pk, TableName(schema=row.schema_name, table=row.table_name))
    link.execute(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")
    events = TriggerEvent.objects.filter(project=project)
    link.execute(
        "DELETE FROM trigger_inbox WHERE event_id = ANY (%s)",
        [list(events.values_list("id", flat=True))],
    )
    events.delete()
    project.delete()
