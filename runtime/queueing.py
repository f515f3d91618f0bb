"""Wakes the engine processes up after a commit, so that they need not wait for their next poll.

A wake-up says only "look": it names nothing, so one stands for any number of executions, and
losing one costs a poll's second. It is sent by a background thread, because publishing to a broker
that is away blocks for half a second or longer.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import Any, Final

import psycopg
from django.db import transaction
from kombu.exceptions import KombuError

# Not ``current_app``: that one is a thread's own, and threads of a web server have none.
from leadsend.celery import app

log = logging.getLogger(__name__)

WAKE_JOB: Final = "runtime.jobs.wake"
PAUSE_S: Final = 0.02
PAUSE_AFTER_FAILURE_S: Final = 1.0
_EXPIRES_S: Final = 5


class Bell:
    """Sends wake-ups one at a time from a daemon thread; rings in between are one ring.

    ``send`` sends one wake-up and may block. It raises what ``failures()`` names while the broker
    is away; then nothing is sent for a second.
    """

    def __init__(
        self,
        send: Callable[[], object],
        failures: Callable[[], tuple[type[BaseException], ...]],
        *,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._send = send
        self._failures = failures
        self._asked = threading.Event()
        self._sleep = sleep or threading.Event().wait
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pid = 0

    def ring(self) -> None:
        """Ask for a wake-up; never blocks and never fails."""
        self._asked.set()
        if not self._is_running():
            self._begin()

    def send_asked(self) -> float:
        """Send one wake-up for all rings so far; return the seconds to pause before the next."""
        self._asked.clear()
        try:
            self._send()
        except self._failures() as error:
            log.warning("wake-up not sent, polls go on", extra={"reason": str(error)})
            return PAUSE_AFTER_FAILURE_S
        return PAUSE_S

    def _is_running(self) -> bool:
        return self._thread is not None and self._pid == os.getpid() and self._thread.is_alive()

    def _begin(self) -> None:
        # A forked child inherits the object without its thread.
        with self._start:
            if not self._is_running():
                self._pid = os.getpid()
                self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._asked.wait()
            self._sleep(self.send_asked())


def ring() -> None:
    """Wake the engines once the current transaction is committed (at once outside of one)."""
    transaction.on_commit(ring_now)


def ring_now() -> None:
    """Wake the engines; for code that has committed by itself, also inside an event loop."""
    _bell.ring()


class EngineBell:
    """Where the process that hosts the engines says how to wake them (its pipes)."""

    def __init__(self) -> None:
        self._ring: Callable[[], None] | None = None

    def connect(self, ring_engines: Callable[[], None] | None) -> None:
        """Set what rings the engines of this process; None takes it away."""
        self._ring = ring_engines

    def ring(self) -> bool:
        """Ring the engines of this process; return whether there are any."""
        if self._ring is None:
            return False
        self._ring()
        return True


engines = EngineBell()


class WakeSender:
    """Publishes the wake job on a connection of its own, which is kept while it works."""

    def __init__(self, celery: Any) -> None:
        self._celery = celery
        self._producer: Any = None

    def send(self) -> None:
        """Publish one message. Raises what ``failures`` names, at once, while the broker is away."""
        if self._producer is None:
            # Without this the transport tries again for six seconds by itself.
            connection = self._celery.connection_for_write(transport_options={"max_retries": 0})
            self._producer = self._celery.amqp.Producer(connection)
        try:
            self._celery.send_task(
                WAKE_JOB,
                producer=self._producer,
                retry=False,
                ignore_result=True,
                expires=_EXPIRES_S,
            )
        except self.failures():
            self._producer.connection.release()
            self._producer = None
            raise

    def failures(self) -> tuple[type[BaseException], ...]:
        """Return the errors of a broker that is away; they differ by transport."""
        connection = self._celery.connection_for_write()
        by_transport = (*connection.connection_errors, *connection.channel_errors)
        # PostgreSQL as a broker raises its own, for example where its queues are not set up.
        return (KombuError, OSError, psycopg.Error, *by_transport)


_sender = WakeSender(app)
_bell = Bell(_sender.send, _sender.failures)
