"""The inbox for an event loop: what arrives while a commit runs goes into the next one."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg import AsyncConnection

from leadsend.lib.errors import InvalidInput, LeadSendError, TooManyRequests, Unavailable
from leadsend.lib.postgres import connect_async
from runtime import queueing
from triggers.events import (
    FIRST_WITH_KEY,
    INSERT,
    Accepted,
    NewEvent,
    answers,
    columns,
    keys_of,
    repeated,
    with_identity,
)
from triggers.inbox import AWAY
from triggers.waking import NOTIFY

log = logging.getLogger(__name__)

LARGEST_GROUP = 500
LARGEST_GROUP_BYTES = 16 * 1024 * 1024
MAX_WAITING = 20_000
MAX_WAITING_BYTES = 256 * 1024 * 1024
COMMIT_TIMEOUT_S = 15
_WAKE_PAUSE_S = 0.005
# These mean that the data cannot be stored; every other error means that nobody stores now.
_BAD_DATA = (psycopg.DataError, psycopg.IntegrityError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class _Waiting:
    event: NewEvent
    size_bytes: int
    answer: asyncio.Future[Accepted]


class GroupCommit:
    """Stores events for one event loop, one commit after the other, on a connection of its own."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self._connection: AsyncConnection | None = None
        self._waker = _Waker()

    async def accept(self, event: NewEvent, *, size_bytes: int = 0) -> Accepted:
        """Return the answer once the event is committed.

        ``size_bytes`` is about what its data take; it bounds groups and what waits. Raises Unavailable when the database is away, TooManyRequests while too many wait,
        InvalidInput for data that PostgreSQL refuses.
        """
        if len(self._waiting) >= MAX_WAITING or self._waiting_bytes > MAX_WAITING_BYTES:
            raise TooManyRequests("Too many events arrive at once: send it again in a moment.")
        answer = asyncio.get_running_loop().create_future()
        waiting = _Waiting(with_identity(event), size_bytes, answer)
        self._waiting.append(waiting)
        self._waiting_bytes += size_bytes
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        return await waiting.answer

    async def close(self) -> None:
        """Finish what was handed in, then give the connections back."""
        if self._writer is not None:
            await self._writer
        await self._disconnect()
        await self._waker.close()

    async def _write_all(self) -> None:
        while self._waiting:
            group = self._next_group()
            try:
                await self._write(group)
            except Exception:
                # Whatever it was: nobody may wait for ever, and the others come next.
                log.exception("events could not be stored")
                _fail(group, Unavailable(AWAY))

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size_bytes = 0
        while self._waiting and len(group) < LARGEST_GROUP and size_bytes < LARGEST_GROUP_BYTES:
            group.append(self._waiting.popleft())
            size_bytes += group[-1].size_bytes
        self._waiting_bytes -= size_bytes
        return group

    async def _write(self, group: list[_Waiting]) -> None:
        try:
            accepted = await self._store_surely([one.event for one in group])
        except _BAD_DATA as error:
            await self._write_singly(group, error)
        except (psycopg.Error, OSError, TimeoutError) as error:
            log.warning("events refused", extra={"count": len(group), "error": str(error)})
            await self._disconnect()
            _fail(group, Unavailable(AWAY))
        else:
            self._waker.ring()
            queueing.ring_now()
            for one, answer in zip(group, accepted, strict=True):
                if not one.answer.done():
                    one.answer.set_result(answer)

    async def _write_singly(self, group: list[_Waiting], error: Exception) -> None:
        """Let one event that cannot be stored not take the others with it."""
        if len(group) > 1:
            for one in group:
                await self._write([one])
            return
        log.warning("event cannot be stored", extra={"error": str(error)})
        _fail(group, InvalidInput("The event holds a value that cannot be stored."))

    async def _store_surely(self, events: list[NewEvent]) -> list[Accepted]:
        """Store; when the connection is lost, look again on a new one.

        Whether the commit happened is not known then. The statement is said again with the same
        ids and gives way to what is there, so its answer is the truth and nothing is doubled.
        """
        try:
            return await self._store(events)
        except psycopg.OperationalError:
            await self._disconnect()
            return await self._store(events)

    async def _store(self, events: list[NewEvent]) -> list[Accepted]:
        async with asyncio.timeout(COMMIT_TIMEOUT_S):
            connection = await self._connected()
            cursor = await connection.execute(INSERT, columns(events))
            stored = {row[0] for row in await cursor.fetchall()}
            again = repeated(events, stored)
            if not again:
                return answers(events, ())
            cursor = await connection.execute(FIRST_WITH_KEY, keys_of(again))
            return answers(events, await cursor.fetchall())

    async def _connected(self) -> AsyncConnection:
        if self._connection is None or self._connection.closed:
            self._connection = await connect()
        return self._connection

    async def _disconnect(self) -> None:
        old, self._connection = self._connection, None
        if old is not None:
            with suppress(psycopg.Error):
                await old.close()


class _Waker:
    """Sends NOTIFY from a connection of its own, never twice at once, never in a request's way."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._wanted = False
        self._connection: AsyncConnection | None = None

    def ring(self) -> None:
        self._wanted = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._notify())

    async def close(self) -> None:
        if self._task is not None:
            await self._task
        if self._connection is not None:
            await self._connection.close()

    async def _notify(self) -> None:
        while self._wanted:
            self._wanted = False
            try:
                if self._connection is None or self._connection.closed:
                    # A lost hint costs nothing, so its commit need not wait for the disk.
                    self._connection = await connect_async(
                        "leadsend ring", direct=True, options="-c synchronous_commit=off"
                    )
                await self._connection.execute(NOTIFY)
            except (psycopg.Error, OSError) as error:
                log.warning("wake-up not sent", extra={"error": str(error)})
                return
            await asyncio.sleep(_WAKE_PAUSE_S)


async def connect() -> AsyncConnection:
    """Return a new connection that commits each statement. Raises psycopg.OperationalError."""
    return await connect_async("leadsend accept")


def _fail(group: Sequence[_Waiting], error: LeadSendError) -> None:
    for one in group:
        if not one.answer.done():
            one.answer.set_exception(error)
