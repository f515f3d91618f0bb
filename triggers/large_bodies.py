"""Large bodies of hooks: on disk while they arrive, then one after the other through memory."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from typing import IO, Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

from leadsend.lib import clock
from leadsend.lib.errors import TooManyRequests
from leadsend.lib.payloads import INLINE_LIMIT, Oversized, encode
from runtime import payloads
from triggers import bodies, hooks
from triggers.endpoints import Endpoint
from triggers.events import NewEvent, replaced
from triggers.hooks import HookRequest

# A control character of one byte takes six in JSON: below this nothing can be too large for a row.
SURELY_SMALL: Final = INLINE_LIMIT // 6
MOST_WAITING: Final = 100
_WRITTEN_AT_ONCE: Final = 4


class _Turns:
    """Whose turn it is, for one event loop: one is parsed and sealed, a few are being written."""

    def __init__(self) -> None:
        self.waiting = 0
        self.in_memory = asyncio.Semaphore(1)
        self.written = asyncio.Semaphore(_WRITTEN_AT_ONCE)


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns] = WeakKeyDictionary()


def spool() -> IO[bytes]:
    """Return a file for a body; it is gone once closed."""
    return tempfile.TemporaryFile()


async def event_of(
    endpoint: Endpoint, request: HookRequest, body: IO[bytes], *, reader: bodies.Reader
) -> NewEvent:
    """Return the event of a body on disk, its data in the object storage by then.

    Raises as ``hooks.event_of``; Unavailable when the storage is away, TooManyRequests while a
    hundred others wait for their turn.
    """

    def made() -> tuple[NewEvent, list[Sealed]]:
        body.seek(0)
        event = hooks.event_of(endpoint, request, body.read(), reader=reader, now=clock.now())
        return _sealed(event)

    return await _through(made)


async def offloaded(event: NewEvent) -> NewEvent:
    """Return the event with its large values in the storage, if it has any. Raises as above."""
    return await _through(lambda: _sealed(event))


Sealed = tuple[Any, bytes]


async def _through(made: Callable[[], tuple[NewEvent, list[Sealed]]]) -> NewEvent:
    turns = _turns.setdefault(asyncio.get_running_loop(), _Turns())
    if turns.waiting >= MOST_WAITING:
        raise TooManyRequests("Too many large events arrive at once: send it again in a moment.")
    turns.waiting += 1
    try:
        async with turns.written:
            async with turns.in_memory:
                event, objects = await asyncio.to_thread(made)
            for reference, ciphertext in objects:
                await asyncio.to_thread(
                    payloads.write, reference, ciphertext, project_id=event.project_id
                )
        return event
    finally:
        turns.waiting -= 1


def _sealed(event: NewEvent) -> tuple[NewEvent, list[Sealed]]:
    objects: list[Sealed] = []
    values = [_taken(value, event.project_id, objects) for value in (event.data, event.request)]
    return replaced(event, data=values[0], request=values[1]), objects


def _taken(value: Any, project_id: UUID, objects: list[Sealed]) -> Any:
    try:
        encode(value)
    except Oversized as large:
        reference, ciphertext = payloads.sealed(large.data, project_id=project_id)
        objects.append((reference, ciphertext))
        return reference
    return value
