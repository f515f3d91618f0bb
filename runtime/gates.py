"""Gates before effects: rate limits and circuits by credential and host, shared by all engines.

Rules and states are rows. An engine looks at them once a second while effects are called, takes
tokens in small bundles, and writes about a circuit only when something failed or had failed. When
the database is away, gates stand open: the effect's own outcome cannot be recorded either.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from leadsend.lib import clock
from leadsend.lib.postgres import AWAY, Connection

log = logging.getLogger(__name__)

FAILURES: Final = 20
OPEN_S: Final = 60
_LOOK_AGAIN_S: Final = 1.0
_BUNDLE_S: Final = 0.25  # tokens for so long are taken at once
_LARGEST_BUNDLE: Final = 50
_LONGEST_WAIT_S: Final = 60.0
_MOST_KNOWN: Final = 10_000


@dataclass(frozen=True, slots=True)
class Gate:
    """What stands before an effect: a credential or a host, as one project uses it."""

    project_id: UUID
    name: str  # "credential:<id>" or "host:<name>"

    @property
    def circuit(self) -> str:
        """Return the circuit's key: what one project breaks stays its own."""
        return f"{self.project_id} {self.name}"[:300]


@dataclass(slots=True)
class _Tally:
    """What effects came to since the circuit's row was last written."""

    failures: int = 0  # since the last success
    has_success: bool = False


class Closed(Exception):
    """An effect may not begin now; ``wait_s`` is when it may be tried again."""

    def __init__(self, code: str, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.code, self.message, self.wait_s = code, message, wait_s


class Gates:
    """The gates of one process, for one event loop."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._in_use = threading.Lock()
        self._is_closed = False
        self._lock = asyncio.Lock()
        self._seen_at = float("-inf")
        self._limits: dict[str, tuple[int, float]] = {}
        self._circuits: dict[str, tuple[int, float]] = {}
        self._purse: dict[str, tuple[int, float]] = {}
        self._tallies: dict[str, _Tally] = {}
        # When the effect began that is the last to have succeeded, of circuits used most lately.
        self._worked: dict[str, float] = {}

    async def pass_through(self, gate: Gate) -> None:
        """Return when the effect may begin. Raises Closed."""
        try:
            await self._look()
            await self._check_circuit(gate)
            await self._take_token(gate)
        except AWAY as error:
            self._forget_connection()
            log.warning("gates not looked at", extra={"error": str(error)[:200]})

    async def report(self, gates: Iterable[Gate], *, is_failure: bool, began: float) -> None:
        """Count what came of an effect; only failures, and the first success after them, write.

        ``began`` is the monotonic moment at which the effect began. A failure tells nothing once an
        effect that began later has succeeded: of a burst all those that hang are given up at once.

        Outcomes are counted in memory, in the order in which they come. While one write is under way
        many others end; were each written by itself, a burst of mixed ones would be written as
        failures only, and open the circuit of a host that works.
        """
        for gate in gates:
            if is_failure and began < self._worked.get(gate.circuit, float("-inf")):
                continue
            if not is_failure:
                self._note_work(gate.circuit, began)
            tally = self._tallies.get(gate.circuit)
            if tally is None:
                if not is_failure and gate.circuit not in self._circuits:
                    continue
                tally = self._tallies[gate.circuit] = _Tally()
            if is_failure:
                tally.failures += 1
            else:
                tally.failures, tally.has_success = 0, True
            try:
                await self._write(gate)
            except AWAY as error:
                self._forget_connection()
                log.warning("circuit not written", extra={"error": str(error)[:200]})

    def _note_work(self, circuit: str, began: float) -> None:
        self._worked[circuit] = max(began, self._worked.pop(circuit, began))
        if len(self._worked) > _MOST_KNOWN:
            del self._worked[next(iter(self._worked))]

    def close(self) -> None:
        """End the connection; nothing is asked any more.

        The thread of an effect that was cut off may still be asking: it then ends the connection.
        """
        self._is_closed = True
        if self._in_use.acquire(timeout=_LOOK_AGAIN_S):
            self._forget_connection()
            self._in_use.release()

    async def _look(self) -> None:
        if clock.monotonic() - self._seen_at < _LOOK_AGAIN_S:
            return
        async with self._lock:
            if clock.monotonic() - self._seen_at < _LOOK_AGAIN_S:
                return
            rows = await self._ask_unlocked(_LOOK)
            now = clock.monotonic()
            self._limits = {row[1]: (row[2], row[3]) for row in rows if row[0] == "limit"}
            self._circuits = {row[1]: (row[2], now + row[3]) for row in rows if row[0] == "circuit"}
            self._seen_at = now

    async def _check_circuit(self, gate: Gate) -> None:
        failures, until = self._circuits.get(gate.circuit, (0, 0.0))
        if failures < FAILURES:
            return
        wait_s = until - clock.monotonic()
        if wait_s <= 0 and await self._ask(_PROBE, [OPEN_S, gate.circuit]):
            self._circuits[gate.circuit] = (failures, clock.monotonic() + OPEN_S)
            return  # Of all engines this effect alone tries whether it works again.
        raise Closed(
            "circuit_open",
            f"{_words(gate)} failed {failures} times in a row, so nothing is sent there for a while.",
            _spread(max(wait_s, 1.0)),
        )

    async def _take_token(self, gate: Gate) -> None:
        limit = self._limits.get(gate.name)
        if limit is None:
            return
        left, until = self._purse.get(gate.name, (0, 0.0))
        if left > 0 and clock.monotonic() < until:
            self._purse[gate.name] = (left - 1, until)
            return
        amount, period_s = limit
        bundle = max(1, min(_LARGEST_BUNDLE, int(amount / period_s * _BUNDLE_S)))
        rows = await self._ask(_TAKE, {"key": gate.name, "bundle": bundle})
        granted, wait_s = rows[0] if rows else (1, 0.0)  # The rule was taken away just now.
        if granted < 1:
            message = (
                f"{_words(gate)} takes {amount} calls in {period_s:g} s: this one comes later."
            )
            raise Closed("rate_limited", message, _spread(wait_s, by=period_s / amount * 10))
        self._purse[gate.name] = (int(granted) - 1, clock.monotonic() + 2 * _BUNDLE_S)

    async def _write(self, gate: Gate) -> None:
        """Write what was counted of a circuit; all that was counted while others were writing."""
        async with self._lock:
            tally = self._tallies.pop(gate.circuit, None)
            if tally is None:
                return
            if not tally.failures:
                self._circuits.pop(gate.circuit, None)
                await self._ask_unlocked(_CLOSE, [gate.circuit])
                return
            given = {
                "key": gate.circuit,
                "project": gate.project_id,
                "name": gate.name,
                "anew": tally.has_success,
                "failures": tally.failures,
                "most": FAILURES,
                "open_s": OPEN_S,
            }
            rows = await self._ask_unlocked(_FAIL, given)
            failures, open_s = rows[0]
            self._circuits[gate.circuit] = (failures, clock.monotonic() + open_s)

    async def _ask(self, statement: str, given: Any = None) -> list[tuple[Any, ...]]:
        async with self._lock:
            return await self._ask_unlocked(statement, given)

    async def _ask_unlocked(self, statement: str, given: Any = None) -> list[tuple[Any, ...]]:
        return await asyncio.to_thread(self._execute, statement, given)

    def _execute(self, statement: str, given: Any) -> list[tuple[Any, ...]]:
        with self._in_use:
            try:
                if self._is_closed:
                    raise AWAY[0]("the gates are closed")
                if self._connection is None or self._connection.closed:
                    self._connection = self._connect()
                cursor = self._connection.execute(statement.encode(), given)
                return cursor.fetchall() if cursor.description else []
            finally:
                if self._is_closed:
                    self._forget_connection()

    def _forget_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._seen_at = clock.monotonic()


def _words(gate: Gate) -> str:
    kind, _, name = gate.name.partition(":")
    return f"The connection {name}" if kind == "credential" else name


def _spread(wait_s: float, *, by: float = 1.0) -> float:
    """Return a moment in which not everybody comes back at once."""
    return min(wait_s + random.random() * max(by, 1.0), _LONGEST_WAIT_S)  # noqa: S311 - no secret


_LOOK: Final = """
SELECT 'limit', key, amount, period_s FROM rate_limit
UNION ALL
SELECT 'circuit', key, failures,
       coalesce(extract(epoch FROM open_until - clock_timestamp()), 0)::float8 FROM circuit
"""
_TAKE: Final = """
WITH now AS (
  SELECT key, least(amount, tokens + extract(epoch FROM clock_timestamp() - refilled_at)::float8
                * amount / period_s) AS tokens
    FROM rate_limit WHERE key = %(key)s FOR UPDATE
)
UPDATE rate_limit r
   SET tokens = now.tokens - least(%(bundle)s, floor(greatest(now.tokens, 0))),
       refilled_at = clock_timestamp()
  FROM now WHERE r.key = now.key
RETURNING least(%(bundle)s, floor(greatest(now.tokens, 0)))::int,
          greatest((1 - now.tokens) * r.period_s / r.amount, 0)::float8
"""
_FAIL: Final = """
INSERT INTO circuit AS c (key, project_id, name, failures, failed_at, open_until)
VALUES (%(key)s, %(project)s, %(name)s, %(failures)s, clock_timestamp(),
  CASE WHEN %(failures)s >= %(most)s
    THEN clock_timestamp() + make_interval(secs => %(open_s)s) END)
ON CONFLICT (key) DO UPDATE SET (failures, failed_at, open_until) = (
  SELECT now.failures, clock_timestamp(), CASE WHEN now.failures >= %(most)s
      THEN clock_timestamp() + make_interval(secs => %(open_s)s) END
    FROM (SELECT CASE WHEN %(anew)s THEN 0 ELSE c.failures END + %(failures)s AS failures) AS now)
RETURNING failures, coalesce(extract(epoch FROM open_until - clock_timestamp()), 0)::float8
"""
_PROBE: Final = """
UPDATE circuit SET open_until = clock_timestamp() + make_interval(secs => %s)
 WHERE key = %s AND open_until <= clock_timestamp() RETURNING key
"""
_CLOSE: Final = "DELETE FROM circuit WHERE key = %s"
