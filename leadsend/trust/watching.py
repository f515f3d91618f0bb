"""Looks at memory, connections, tables and circuits every few seconds while a run goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import mean

import psycopg

from leadsend.trust.hands import Hands, resident_bytes

EVERY_S = 5.0
# What a process needs to warm up is no drift.
WARM_AFTER_S = 300.0
WINDOW_S = 180.0
SMALL_TABLE_BYTES = 16 * 1024 * 1024
_OPEN_CIRCUITS = """
SELECT c.failures, (
  SELECT string_agg(n || ' ' || code, ', ') FROM (
    SELECT coalesce(s.error->>'code', s.status) AS code, count(*) AS n FROM step_execution s
     WHERE s.ended_at BETWEEN c.failed_at - interval '5 s' AND c.failed_at + interval '2 s'
       AND s.action_key = 'http_request' GROUP BY 1) AS ends)
  FROM circuit c WHERE c.open_until > now()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look: seconds since the start, processes, their resident bytes, and connections."""

    at_s: float
    processes: int
    resident: int
    connections: int


@dataclass
class Watch:
    """Samples from a thread of its own until it is closed."""

    hands: Hands
    samples: list[Sample] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread = field(init=False)

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._look_on, name="watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no longer."""
        self._stop.set()
        self._thread.join()

    def resident_drift(self) -> float | None:
        """Return memory at the end over memory after five minutes, less 1; None for a short run.

        It is that of one process: how many of them run at a moment is what the faults decide.
        """
        return self._drift(lambda sample: sample.resident / max(sample.processes, 1))

    def connection_drift(self) -> float | None:
        """Return the same of a process's open connections."""
        return self._drift(lambda sample: sample.connections / max(sample.processes, 1))

    def course(self) -> list[str]:
        """Return what was seen, a line for every minute."""
        step = int(60 / EVERY_S)
        return [
            f"{sample.at_s / 60:.0f} min: {sample.processes} processes, "
            f"{sample.resident >> 20} MiB, {sample.connections} connections"
            for sample in self.samples[::step]
        ]

    def most_connections(self) -> int:
        """Return the largest number of connections that was seen."""
        return max((sample.connections for sample in self.samples), default=0)

    def bloat(self) -> dict[str, float]:
        """Return dead rows over live ones of every table that is not small, the worst first."""
        rows = self.hands.stack.sql(
            "SELECT relname, n_live_tup, n_dead_tup FROM pg_stat_user_tables"
            " WHERE pg_total_relation_size(relid) > %s ORDER BY 3 DESC",
            SMALL_TABLE_BYTES,
        )
        return {name: round(dead / max(live, 1), 2) for name, live, dead in rows}

    def _drift(self, of: Callable[[Sample], float]) -> float | None:
        if not self.samples or self.samples[-1].at_s < WARM_AFTER_S + 2 * WINDOW_S:
            return None
        end_s = self.samples[-1].at_s
        early = _within(self.samples, WARM_AFTER_S, WARM_AFTER_S + WINDOW_S)
        late = _within(self.samples, end_s - WINDOW_S, end_s)
        if not early or not late:
            return None
        return round(mean(map(of, late)) / mean(map(of, early)) - 1, 3)

    def _look_on(self) -> None:
        began = time.monotonic()
        while not self._stop.wait(EVERY_S):
            try:
                connections = self._connections()
                self._note_open_circuits()
            except psycopg.Error:
                continue
            pids = self._pids()
            self.samples.append(
                Sample(
                    at_s=time.monotonic() - began,
                    processes=len(pids),
                    resident=resident_bytes(pids),
                    connections=connections,
                )
            )

    def _connections(self) -> int:
        query = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        return int(self.hands.stack.sql(query)[0][0])

    def _note_open_circuits(self) -> None:
        for failures, ends in self.hands.stack.sql(_OPEN_CIRCUITS):
            what = f"circuit open by {failures} failures; ends of steps before it: {ends}"
            self.hands.noted.append((time.monotonic(), what))

    def _pids(self) -> list[int]:
        members = self.hands.stack.members.values()
        running = [member for member in members if member.is_running]
        return [pid for member in running for pid in (member.pid, *member.children())]


def _within(samples: Sequence[Sample], first_s: float, last_s: float) -> list[Sample]:
    return [sample for sample in samples if first_s <= sample.at_s <= last_s]
