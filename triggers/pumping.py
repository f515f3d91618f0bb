"""One look at everything that starts work by itself: schedules, overdue tasks, table changes."""

from __future__ import annotations

from psycopg import AsyncConnection

from triggers import db_changes, installing, schedules, task_events
from triggers.group_commit import connect
from triggers.waking import NOTIFY


async def pump_once() -> int:
    """Pump on a connection of its own, and wake the engines when there is something for them."""
    async with await connect() as connection:
        count = await pump(connection)
        if count:
            await connection.execute(NOTIFY)
    return count


async def pump(connection: AsyncConnection) -> int:
    """Fire due ticks, tell of overdue tasks, collect table changes; return the new events.

    ``connection`` commits each statement (autocommit). To be called at most once a second; after
    a count above 0 a call at once may find more. Raises psycopg.Error when the database is away.
    """
    fired = await schedules.pump(connection)
    await installing.install_waiting(connection)
    overdue = await task_events.tell_overdue(connection)
    return fired + overdue + await db_changes.drain(connection)
