"""The worker's host of engine processes: starts them, wakes them, replaces dead ones, ends them.

A step of Celery's worker blueprint. It needs nothing of the broker: engines run, and are replaced,
also while the broker is away, for each has a thread of its own here that waits for its end.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

from celery import bootsteps
from celery.signals import worker_shutting_down
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from psycopg_pool import PoolTimeout

from leadsend.lib import clock
from leadsend.lib.ids import uuid7
from runtime import queueing, recovery

log = logging.getLogger(__name__)

COMMAND: Final = (sys.executable, "-m", "leadsend.engine_process")
# The engine itself takes 25 s at most.
GRACE_S: Final = 27.0
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 10.0
# Who ran this long had not died of its start: the next pause is the first one again.
_HEALTHY_AFTER_S: Final = 10.0
# Who was killed had no fault of its own in starting: nobody gains by a long wait for the next.
_LONGEST_PAUSE_AFTER_KILL_S: Final = 1.0


class Engines:
    """Keeps a number of engine processes running."""

    def __init__(self, count: int, *, command: Sequence[str] = COMMAND) -> None:
        self._slots = [_Slot(command) for _ in range(count)]

    def start(self) -> None:
        """Start them all; returns at once."""
        for slot in self._slots:
            slot.start()

    def ring(self) -> None:
        """Wake them all up; never blocks."""
        for slot in self._slots:
            slot.ring()

    def stop_soon(self) -> None:
        """Ask all to finish, and replace none; for signal handlers: it waits for nothing."""
        for slot in self._slots:
            slot.stop_soon()

    def stop(self, *, grace_s: float = GRACE_S) -> None:
        """Ask all to finish, wait for it, and kill who has not after ``grace_s``."""
        for slot in self._slots:
            slot.ask_to_stop()
        last = clock.monotonic() + grace_s
        for slot in self._slots:
            slot.wait_or_kill(max(0.0, last - clock.monotonic()))

    def pids(self) -> list[int]:
        """Return the processes that run now."""
        return [slot.process.pid for slot in self._slots if slot.process is not None]


class _Slot:
    """One place for an engine process, and the thread that looks after it."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self.process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._keep, name="engine host", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ring(self) -> None:
        process = self.process
        if process is not None and process.stdin is not None:
            # A full pipe means that it was rung enough; a closed one that it is being replaced.
            with suppress(OSError, ValueError):
                os.write(process.stdin.fileno(), b"\n")

    def stop_soon(self) -> None:
        self._stopping.set()
        process = self.process
        if process is not None:
            process.terminate()

    def ask_to_stop(self) -> None:
        self._stopping.set()
        with self._lock:
            if self.process is not None:
                self.process.terminate()

    def wait_or_kill(self, grace_s: float) -> None:
        self._thread.join(timeout=grace_s)
        if self._thread.is_alive() and self.process is not None:
            log.warning("engine killed after its grace", extra={"pid": self.process.pid})
            self.process.kill()
            self._thread.join(timeout=5)

    def _keep(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._stopping.is_set():
            began, was_killed = clock.monotonic(), False
            try:
                was_killed = self._keep_one(uuid7())
            except Exception:
                # The thread must live: nobody else would start another engine.
                log.exception("engine not started or not released")
            is_healthy = clock.monotonic() - began > _HEALTHY_AFTER_S
            longest_s = _LONGEST_PAUSE_AFTER_KILL_S if was_killed else _LONGEST_PAUSE_S
            pause_s = _FIRST_PAUSE_S if is_healthy else min(pause_s * 2, longest_s)
            self._stopping.wait(pause_s)

    def _keep_one(self, worker_id: UUID) -> bool:
        """Run one engine to its end; return whether a signal ended it."""
        process = self._spawn(worker_id)
        if process is None:
            return False
        code = process.wait()
        self._dispose(process)
        if code != 0 or not self._stopping.is_set():
            log.warning("engine ended", extra={"pid": process.pid, "code": code})
            # Beside, so that a database that is away does not keep the next engine from starting.
            threading.Thread(target=_release, args=(worker_id,), daemon=True).start()
        return code < 0

    def _spawn(self, worker_id: UUID) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            process = subprocess.Popen(  # noqa: S603 - our own module
                [*self._command, str(worker_id)], stdin=subprocess.PIPE, close_fds=True
            )
            if process.stdin is not None:
                os.set_blocking(process.stdin.fileno(), False)
            self.process = process
            return process

    def _dispose(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self.process = None
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()


def _release(worker_id: UUID) -> None:
    """Free what a dead engine held, at once; its leases run out by themselves otherwise."""
    for pause_s in (0.5, 1.0, 2.0, 0.0):
        try:
            recovery.release_worker(worker_id)
        except (DatabaseError, PoolTimeout) as error:
            log.warning("leases not freed", extra={"error": str(error)[:200]})
            time.sleep(pause_s)
        else:
            return
        finally:
            connection.close()


class EngineHost(bootsteps.StartStopStep):
    """Starts the engines before the worker turns to its broker, and ends them with it."""

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._engines = Engines(settings.LEADSEND_ENGINES or os.cpu_count() or 1)
        # Celery ends its tasks first; engines must not be replaced, nor claim, until it is our turn.
        worker_shutting_down.connect(self._stop_soon, weak=False)

    def start(self, worker: Any) -> None:
        """Start the engines and take over the bell of this process."""
        self._engines.start()
        queueing.engines.connect(self._engines.ring)

    def stop(self, worker: Any) -> None:
        """End the engines, with their grace."""
        queueing.engines.connect(None)
        self._engines.stop()

    def _stop_soon(self, **_given: Any) -> None:
        self._engines.stop_soon()

    def terminate(self, worker: Any) -> None:
        """End them likewise: a cold stop of the worker is none for the effects under way."""
        self.stop(worker)
