"""T3: the database restarts, drops everybody, is full, read-only, out of connections or of time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg

from leadsend.trust.scene import Form, Scene, count, hard_gates, play, settle
from leadsend.trust.schedule import Planned, Player, evenly
from leadsend.trust.senders import OK
from leadsend.trust.verdict import Gate, result_of, zero

FULL_EVENTS = 10_000
RESTARTS, TERMINATIONS = 5, 20
AWAY_S, TIMEOUT_FOR_S = 30.0, 10.0
RECOVERY_S = 15.0
PAUSE_S = 20.0
_MINE = "leadsend trust"
_TERMINATE = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name <> %s"""
# The error of a full disk on every write of the accept path and the engine; a disk that is really
# full needs a file system of its own, which not every machine lets a test make.
FULL_TABLES = (
    "trigger_event",
    "trigger_inbox",
    "event_key",
    "workflow_execution",
    "step_execution",
)
_FULL = """CREATE OR REPLACE FUNCTION trust_disk_full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
END $$"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A time, in monotonic seconds, in which nothing can be written; ``name`` of the fault."""

    name: str
    began: float
    ended: float


@dataclass
class PostgresFaults:
    """Acts on the stack's database; ``outages`` are the times in which no write can succeed."""

    scene: Scene
    away_s: float
    outages: list[Outage] = field(default_factory=list)
    back_at: list[tuple[str, float]] = field(default_factory=list)

    def acts(self) -> dict[str, Callable[[], None]]:
        """Return what each name in a plan does; each waits for its own end."""
        return {
            "restart": self._restart,
            "terminate": self._terminate,
            "connections": self._use_up_connections,
            "timeout": self._time_out,
            "read only": self._read_only,
            "disk full": self._fill_disk,
        }

    @contextmanager
    def _out(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.outages.append(Outage(name=name, began=began, ended=time.monotonic()))

    def _note(self, name: str) -> None:
        self.back_at.append((name, time.monotonic()))
        self.scene.hands.done[name] += 1

    def _restart(self) -> None:
        server = self.scene.stack.services.postgres
        assert server is not None
        server.stop_immediate()
        with self._out("restart"):
            time.sleep(0.5)
        server.start()
        self._note("restart")

    def _terminate(self) -> None:
        with self._connection() as connection:
            connection.execute(_TERMINATE, [_MINE])
        self._note("terminate")

    def _use_up_connections(self) -> None:
        """Hold every connection for a while, after everybody has lost theirs."""
        held: list[Any] = []
        deadline = time.monotonic() + self.away_s
        with self._connection() as connection:
            connection.execute(_TERMINATE, [_MINE])
        while time.monotonic() < deadline:
            try:
                held.append(self._connect())
            except psycopg.OperationalError:
                time.sleep(0.05)
        for one in held:
            one.close()
        self._note("connections")

    def _time_out(self) -> None:
        """Let statements be cut off after a millisecond: some end in time, some do not."""
        self._set("statement_timeout", "'1ms'")
        time.sleep(min(TIMEOUT_FOR_S, self.away_s))
        self._reset("statement_timeout")
        self._note("timeout")

    def _read_only(self) -> None:
        self._set("default_transaction_read_only", "on")
        with self._out("read only"):
            time.sleep(self.away_s)
        self._reset("default_transaction_read_only")
        self._note("read only")

    def _fill_disk(self) -> None:
        with self._connection() as connection:
            connection.execute(_FULL)
            for table in FULL_TABLES:
                connection.execute(
                    f"CREATE TRIGGER trust_disk_full BEFORE INSERT OR UPDATE OR DELETE ON {table}"
                    " FOR EACH STATEMENT EXECUTE FUNCTION trust_disk_full()"
                )
        with self._out("disk full"):
            time.sleep(self.away_s)
        with self._connection() as connection:
            for table in FULL_TABLES:
                connection.execute(f"DROP TRIGGER trust_disk_full ON {table}")
        self._note("disk full")

    def _set(self, name: str, value: str) -> None:
        with self._connection() as connection:
            connection.execute(f"ALTER SYSTEM SET {name} = {value}")
            connection.execute("SELECT pg_reload_conf()")
        # Every session reads its configuration before its next statement; the signal needs a moment.
        time.sleep(1.0)

    def _reset(self, name: str) -> None:
        with self._connection() as connection:
            connection.execute(f"ALTER SYSTEM RESET {name}")
            connection.execute("SELECT pg_reload_conf()")

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        """Connect as soon as there is room."""
        while True:
            with suppress(psycopg.OperationalError):
                connection = self._connect()
                break
            time.sleep(0.1)
        try:
            yield connection
        finally:
            connection.close()

    def _connect(self) -> Any:
        # Its own sessions keep out of the faults.
        options = "-c default_transaction_read_only=off -c statement_timeout=0"
        return psycopg.connect(
            self.scene.stack.dsn, autocommit=True, application_name=_MINE, options=options
        )


def run(form: Form) -> dict[str, Any]:
    """Play it; return figures, gates and ``passed``. Fewer than 10,000 events get their share."""
    share = min(1.0, form.events / FULL_EVENTS)
    with play(form) as scene:
        faults = PostgresFaults(scene, away_s=max(6.0, AWAY_S * share))
        player = Player(plan_of(share, faults.away_s), faults.acts())
        player.start()
        scene.traffic.run(least=form.events, goes_on=player.is_playing)
        player.join()
        settled = settle(scene)
        figures = count(scene, settled) | _own_figures(scene, faults)
        gates = [
            zero("2xx while nothing can be written", figures["accepted_while_away"]),
            Gate(name="accepts again after, s", value=figures["slowest_accept_s"], most=RECOVERY_S),
            Gate(name="works again after, s", value=figures["slowest_effect_s"], most=RECOVERY_S),
        ]
        return result_of(figures, [*hard_gates(figures), *gates])


def plan_of(share: float, away_s: float) -> list[Planned]:
    """Return when which fault happens, one kind after the other, each time with a time to recover."""
    restarts, terminations = (max(1, round(n * share)) for n in (RESTARTS, TERMINATIONS))
    plan = evenly("restart", restarts, first_s=5.0, every_s=PAUSE_S)
    at_s = 5.0 + restarts * PAUSE_S
    plan += evenly("terminate", terminations, first_s=at_s, every_s=2.0)
    at_s += terminations * 2.0 + PAUSE_S
    for name in ("connections", "timeout", "read only", "disk full"):
        plan.append((at_s, name))
        at_s += away_s + PAUSE_S
    # One that does nothing but give the last fault its time to recover, under traffic.
    return [*plan, (at_s, "terminate")]


def _own_figures(scene: Scene, faults: PostgresFaults) -> dict[str, Any]:
    tries = [one for one in scene.traffic.tries if one.status in OK]
    effects = [arrival.at for arrival in scene.sink.arrivals if arrival.is_effect]
    away = [
        sum(outage.began < one.began and one.ended < outage.ended for one in tries)
        for outage in faults.outages
    ]
    accepts = _recoveries(faults.back_at, [one.ended for one in tries])
    works = _recoveries(faults.back_at, effects)
    return {
        "accepted_while_away": sum(away),
        "slowest_accept_s": max(accepts.values(), default=0.0),
        "slowest_effect_s": max(works.values(), default=0.0),
        "accept_after_s": accepts,
        "effect_after_s": works,
    }


def _recoveries(back_at: list[tuple[str, float]], moments: list[float]) -> dict[str, float]:
    """Return, by fault, the longest time until the first moment after the database was back."""
    ordered = sorted(moments)
    found: dict[str, float] = {}
    for name, back in back_at:
        after = next((at for at in ordered if at > back), None)
        if after is not None:
            found[name] = max(found.get(name, 0.0), round(after - back, 2))
    return found
