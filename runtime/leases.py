"""Keeping what is held: a heartbeat from a thread of its own, and the clock of the database."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from leadsend.lib import clock
from leadsend.lib.postgres import AWAY, Connection
from runtime import batches
from runtime.runs import Run

log = logging.getLogger(__name__)

Connect = Callable[[], Connection]


class DatabaseClock:
    """The database's time, carried on by this process's monotonic clock between two looks."""

    def __init__(self) -> None:
        self.set(clock.now())

    def set(self, moment: datetime) -> None:
        """Take over what the database said just now."""
        # Of seconds as floats a microsecond is left over; adding to a datetime takes twice as long.
        self._ahead_s = moment.timestamp() - clock.monotonic()

    def now(self) -> datetime:
        """Return the database's current time, as well as this process knows it."""
        return datetime.fromtimestamp(clock.monotonic() + self._ahead_s, UTC)


class Leases:
    """Extends the leases of all held runs every third of a lease, and signs the worker's row.

    ``asked`` is called, from the thread, when a beat finds that somebody wants a held run to stop.
    """

    def __init__(
        self, *, worker_id: UUID, lease_s: float, connect: Connect, asked: Callable[[], None]
    ) -> None:
        self.worker_id = worker_id
        self.lease_s = lease_s
        self._connect = connect
        self._asked = asked
        self._lock = threading.Lock()
        # Runs are told apart by what they are: hashing ids costs more than all the rest here.
        self._held: set[Run] = set()
        self._cancelled: set[Run] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="leases", daemon=True)

    def start(self) -> None:
        """Begin to beat; the worker's row is written as soon as the database is there."""
        self._thread.start()

    def hold(self, runs: list[Run], *, since: float) -> None:
        """Look after these runs; ``since`` is the monotonic moment before they were (re)leased."""
        with self._lock:
            for run in runs:
                run.leased_at = since
            self._held.update(runs)

    def let_go(self, run: Run) -> None:
        """Look after the run no longer."""
        with self._lock:
            self._held.discard(run)
            self._cancelled.discard(run)

    def is_sure(self, run: Run) -> bool:
        """Say whether the lease cannot have ended: less than two thirds of it have passed."""
        return clock.monotonic() - run.leased_at < self.lease_s * 2 / 3

    def asked_to_stop(self) -> list[Run]:
        """Return held runs that somebody asked to cancel or pause, or answered, since the last call."""
        with self._lock:
            found = list(self._cancelled & self._held)
            self._cancelled.clear()
            return found

    def stop(self) -> None:
        """End the thread and note in the worker's row that it stopped."""
        self._stop.set()
        if not self._thread.is_alive():
            return
        self._thread.join(timeout=5)
        try:
            with self._connect() as connection:
                connection.execute(_SIGN_OFF, [self.worker_id])
        except AWAY:
            log.warning("worker's row not closed: the database is away")

    def _beat_on(self) -> None:
        pause_s = 0.0
        while not self._stop.wait(pause_s):
            try:
                with self._connect() as connection:
                    self._sign_on(connection)
                    self._beat_regularly(connection)
            except AWAY as error:
                log.warning("heartbeat failed", extra={"error": str(error)[:200]})
                pause_s = min(1.0, self.lease_s / 10)

    def _sign_on(self, connection: Connection) -> None:
        name, pid = socket.gethostname()[:200], os.getpid()
        connection.execute(_SIGN_ON, [self.worker_id, name, pid])

    def _beat_regularly(self, connection: Connection) -> None:
        while True:
            self.beat(connection)
            if self._stop.wait(self.lease_s / 3):
                return

    def beat(self, connection: Connection) -> None:
        """Extend all leases once."""
        since = clock.monotonic()
        with self._lock:
            held = {run.id: run for run in self._held}
        connection.execute(_SEEN, [self.worker_id])
        if not held:
            return
        unborn = {run.batch for run in held.values() if run.batch is not None}
        kept = batches.extend(connection, unborn, lease_s=self.lease_s)
        values = {
            "ids": list(held),
            "fences": [run.claimed.fence for run in held.values()],
            "lease": self.lease_s,
        }
        found = connection.execute(_EXTEND, values).fetchall()
        with self._lock:
            for run in held.values():
                if run.batch in kept:
                    run.leased_at = max(since, run.leased_at)
            for run_id, is_asked in found:
                held[run_id].leased_at = max(since, held[run_id].leased_at)
                if is_asked:
                    self._cancelled.add(held[run_id])
        if any(is_asked for _, is_asked in found):
            self._asked()


_SIGN_ON: Final = """
INSERT INTO worker (id, host, pid) VALUES (%s, %s, %s)
ON CONFLICT (id) DO UPDATE SET host = EXCLUDED.host, pid = EXCLUDED.pid, stopped_at = NULL
"""
_SIGN_OFF: Final = "UPDATE worker SET stopped_at = statement_timestamp() WHERE id = %s"
_SEEN: Final = "UPDATE worker SET seen_at = statement_timestamp() WHERE id = %s"
# A locked row is being recorded at this moment, which extends its lease as well. A run at work has
# a timer only when a step of it was answered since.
_EXTEND: Final = """
WITH mine AS (
  SELECT e.id FROM workflow_execution e
    JOIN unnest(%(ids)s::uuid[], %(fences)s::bigint[]) AS v(id, fence)
      ON e.id = v.id AND e.fence = v.fence
   WHERE e.status = 'RUNNING' AND e.id = ANY(%(ids)s::uuid[])
   ORDER BY e.id FOR UPDATE OF e SKIP LOCKED
)
UPDATE workflow_execution e
   SET lease_until = statement_timestamp() + make_interval(secs => %(lease)s)
  FROM mine WHERE e.id = mine.id AND e.id = ANY(%(ids)s::uuid[])
RETURNING e.id, e.cancel_requested_at IS NOT NULL OR e.pause_requested_at IS NOT NULL
  OR EXISTS (SELECT FROM execution_timer t
              WHERE t.execution_id = e.id AND t.due_at <= statement_timestamp())
"""
