"""Tells open pages what changed. Losing a message costs a page its next poll, nothing else.

Groups: ``workflow.<id>`` for the runs of a workflow and ``home.<project id>`` for those of a project.
Their messages are ``{"type": "change", "execution_id", "project_id", "workflow_id", "status"}``.
Who looks at one run listens to ``runs.<number>``, which it shares with a sixteenth of all runs: most
runs are looked at by nobody, and a message for each cost a busy engine a fifth of its time. These
are ``{"type": "runs_change", "statuses": {execution id: status}}``. No message carries data of a run; a page
asks the API for what it may see.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import psycopg
from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer
from django.db import transaction
from redis.exceptions import RedisError

from runtime.models import Execution

log = logging.getLogger(__name__)

MOST_KEPT: Final = 1000
# A page of a project that changes a thousand times a second asks the API anyway.
MOST_AT_HOME: Final = 10
EVERY_S: Final = 0.1
# A thousand changes in sixteen messages are three kilobytes each: PostgreSQL's NOTIFY takes eight.
_SHARES: Final = 16
PAUSE_AFTER_FAILURE_S: Final = 1.0
_TIMEOUT_S: Final = 2.0
_FAILURES: Final = (RedisError, psycopg.Error, ChannelFull, OSError, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The state that an execution has now.

    ``is_new`` says that it began and ended in one commit: nobody can be looking at it yet.
    """

    execution_id: UUID
    project_id: UUID
    workflow_id: UUID
    status: str
    is_new: bool = False

    def message(self) -> dict[str, Any]:
        """Return the message to the groups."""
        return {
            "type": "change",
            "execution_id": str(self.execution_id),
            "project_id": str(self.project_id),
            "workflow_id": str(self.workflow_id),
            "status": self.status,
        }


def runs_group(execution_id: UUID) -> str:
    """Return the group of those who look at a run, or at others that share it."""
    return f"runs.{execution_id.int % _SHARES}"


def workflow_group(workflow_id: UUID) -> str:
    """Return the group of those who look at one workflow's runs."""
    return f"workflow.{workflow_id}"


def home_group(project_id: UUID) -> str:
    """Return the group of those who look at a project's home page."""
    return f"home.{project_id}"


def change_of(execution: Execution) -> Change:
    """Return what to tell about a row."""
    return Change(
        execution_id=execution.pk,
        project_id=execution.project_id,
        workflow_id=execution.workflow_id,
        status=execution.status,
    )


def publish(changes: Iterable[Change]) -> None:
    """Tell about changes once the current transaction is committed (at once outside of one)."""
    kept = tuple(changes)
    transaction.on_commit(lambda: publish_now(kept))


def publish_now(changes: Iterable[Change]) -> None:
    """Tell about committed changes; never blocks, never fails, also inside an event loop."""
    _crier.tell(changes)


class Crier:
    """Sends changes from a daemon thread with an event loop of its own.

    Of an execution that changed several times meanwhile only the last state is sent, ten times a
    second at most. What does not fit, or comes while the channel layer is away, is forgotten.
    """

    def __init__(self) -> None:
        self._waiting: dict[UUID, Change] = {}
        self._lock = threading.Lock()
        self._asked = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = 0

    def tell(self, changes: Iterable[Change]) -> None:
        """Keep the changes for sending; never blocks."""
        with self._lock:
            for change in changes:
                if len(self._waiting) < MOST_KEPT or change.execution_id in self._waiting:
                    self._waiting[change.execution_id] = change
            if self._thread is None or self._pid != os.getpid():
                self._pid = os.getpid()
                self._thread = threading.Thread(target=self._run, name="live", daemon=True)
                self._thread.start()
        self._asked.set()

    def take(self) -> list[Change]:
        """Return what waits, and keep nothing of it."""
        with self._lock:
            taken = list(self._waiting.values())
            self._waiting.clear()
        return taken

    def _run(self) -> None:
        # The loop stands still while nothing is to be told. Waiting in one of its executor's
        # threads would keep the process from ending.
        loop = asyncio.new_event_loop()
        while True:
            self._asked.wait()
            self._asked.clear()
            if not loop.run_until_complete(send(self.take())):
                time.sleep(PAUSE_AFTER_FAILURE_S)
                self.take()
            time.sleep(EVERY_S)


async def send(changes: Iterable[Change]) -> bool:
    """Send changes to their groups; return False when the channel layer is away."""
    layer = get_channel_layer()
    if layer is None:
        return True
    try:
        for group, message in _messages(changes):
            await asyncio.wait_for(layer.group_send(group, message), _TIMEOUT_S)
    except _FAILURES as error:
        log.warning("live update not sent", extra={"reason": str(error)})
        return False
    return True


def _messages(changes: Iterable[Change]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield whom to tell of what: pages of many runs hear that something changed, not of each."""
    at_home: Counter[UUID] = Counter()
    workflows: set[UUID] = set()
    statuses: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for change in changes:
        if not change.is_new:
            statuses[runs_group(change.execution_id)][str(change.execution_id)] = change.status
        if change.workflow_id not in workflows:
            workflows.add(change.workflow_id)
            yield workflow_group(change.workflow_id), change.message()
        at_home[change.project_id] += 1
        if at_home[change.project_id] <= MOST_AT_HOME:
            yield home_group(change.project_id), change.message()
    for group, found in statuses.items():
        yield group, {"type": "runs_change", "statuses": found}


_crier = Crier()
