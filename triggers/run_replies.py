"""Waits for what a run answers to the webhook that started it, and says it to the sender.

The event is committed before anybody waits here: whoever stops waiting, or is killed, loses an
answer and nothing else. A repetition of the event waits for the same run and hears the same.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

import orjson
from asgiref.sync import sync_to_async
from django.db import Error, close_old_connections, connection

from leadsend.lib import clock, ids
from leadsend.lib.errors import LeadSendError
from runtime import webhook_answers
from runtime.storable import to_json
from runtime.webhook_answers import RunAnswer
from triggers.endpoints import Endpoint
from triggers.hooks import HookAnswer
from triggers.models import TriggerEvent

log = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 0.01
_LONGEST_PAUSE_S: Final = 0.25
_SLOWER: Final = 1.3
# Somebody may have begun to wait for a run just before the first one gave up.
_GIVEN_UP_S: Final = 60.0


def wait(endpoint: Endpoint, event_id: UUID) -> HookAnswer:
    """Return what the run says, or after the endpoint's time that it goes on; blocks."""
    run = _run_of(endpoint, event_id)
    end = clock.monotonic() + endpoint.longest_wait_s
    pause_s = _FIRST_PAUSE_S
    while clock.monotonic() < end:
        found = _look({run: event_id})
        if run in found:
            return found[run]
        if not connection.in_atomic_block:
            connection.close()
        time.sleep(pause_s)
        pause_s = min(pause_s * _SLOWER, _LONGEST_PAUSE_S)
    return _goes_on(event_id)


async def wait_async(endpoint: Endpoint, event_id: UUID) -> HookAnswer:
    """Return what ``wait`` does; all that wait in an event loop share one look at the database."""
    loop = asyncio.get_running_loop()
    watch = _watches.get(loop)
    if watch is None:
        watch = _watches[loop] = _Watch()
    said = watch.reply(_run_of(endpoint, event_id), event_id)
    try:
        async with asyncio.timeout(endpoint.longest_wait_s):
            return await asyncio.shield(said)
    except TimeoutError:
        return _goes_on(event_id)


class _Watch:
    """The runs of one event loop that somebody waits for, and the task that looks for them."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, tuple[UUID, asyncio.Future[HookAnswer], float]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._pause_s = _FIRST_PAUSE_S

    def reply(self, run: UUID, event_id: UUID) -> asyncio.Future[HookAnswer]:
        """Return the future of a run's answer; it is given up once nobody can wait for it."""
        self._pause_s = _FIRST_PAUSE_S
        if run not in self._waiting:
            future = asyncio.get_running_loop().create_future()
            self._waiting[run] = (event_id, future, clock.monotonic() + _GIVEN_UP_S)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return self._waiting[run][1]

    async def _look(self) -> None:
        while self._waiting:
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(self._pause_s * _SLOWER, _LONGEST_PAUSE_S)
            asked = {run: one[0] for run, one in self._waiting.items()}
            found = await sync_to_async(_look_in_thread, thread_sensitive=False)(asked)
            for run, answer in found.items():
                self._waiting.pop(run)[1].set_result(answer)
            now = clock.monotonic()
            for run in [run for run, one in self._waiting.items() if one[2] < now]:
                del self._waiting[run]


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, _Watch] = WeakKeyDictionary()


def _run_of(endpoint: Endpoint, event_id: UUID) -> UUID:
    """Return the id of the run that the event leads to, if it leads to one."""
    return ids.execution_id(event_id, endpoint.subscription_id or endpoint.id)


def _look_in_thread(asked: Mapping[UUID, UUID]) -> dict[UUID, HookAnswer]:
    try:
        return _look(asked)
    finally:
        # No request of Django's ends here, so nobody else gives the connection back.
        close_old_connections()


def _look(asked: Mapping[UUID, UUID]) -> dict[UUID, HookAnswer]:
    """Return the answers that are there, by the run; ``asked`` names the event of each run."""
    try:
        said = webhook_answers.find([*asked])
        silent = {event: run for run, event in asked.items() if run not in said}
        return {run: _in_http(one) for run, one in said.items()} | {
            silent[event]: _started_nothing(event, code) for event, code in _fates(silent)
        }
    except (Error, LeadSendError) as error:
        # The event is safe; whether there is an answer is asked again after a pause.
        log.warning("answers of runs not looked at", extra={"error": str(error)[:200]})
        connection.close()
        return {}


def _fates(events: Iterable[UUID]) -> Iterable[tuple[UUID, str]]:
    decided = TriggerEvent.objects.filter(pk__in=[*events], fate__isnull=False)
    return decided.values_list("pk", "fate__code")


def _in_http(said: RunAnswer) -> HookAnswer:
    headers = tuple(said.headers.items())
    if said.body is None:
        return HookAnswer(status=said.status, body=b"", headers=headers)
    if said.is_text:
        text = str(said.body).encode()
        kind = "text/plain; charset=utf-8"
        return HookAnswer(status=said.status, body=text, content_type=kind, headers=headers)
    body = (to_json(said.body) or "null").encode()
    return HookAnswer(status=said.status, body=body, headers=headers)


def _started_nothing(event_id: UUID, code: str) -> HookAnswer:
    return _accepted({"event_id": str(event_id), "started": False, "code": code})


def _goes_on(event_id: UUID) -> HookAnswer:
    return _accepted({"event_id": str(event_id), "code": "still_running"})


def _accepted(body: dict[str, Any]) -> HookAnswer:
    return HookAnswer(status=202, body=orjson.dumps(body))
