"""Engine processes for benchmarks: started, held still while an inbox is filled, let go."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from signal import SIGCONT, SIGSTOP
from typing import Final

from leadsend.bench.workloads import Flow, fill
from leadsend.lib import clock
from leadsend.lib.postgres import Connection

_LIMIT_S: Final = 300.0
_UNDONE: Final = """
SELECT EXISTS (SELECT FROM trigger_inbox) OR EXISTS (SELECT FROM execution_batch)
    OR EXISTS (SELECT FROM workflow_execution WHERE project_id = %s
                AND status NOT IN ('SUCCESS', 'FAILED', 'CANCELLED', 'TIMED_OUT'))
"""
_ENDED: Final = """
SELECT count(*), count(*) FILTER (WHERE status = 'SUCCESS'), max(ended_at)
  FROM workflow_execution WHERE workflow_id = %s AND created_at >= %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """One drain: how many executions ended well, and the seconds until the last one did."""

    executions: int
    seconds: float

    @property
    def per_s(self) -> float:
        """Executions a second."""
        return self.executions / self.seconds


class Engines:
    """Processes as the worker starts them; ``pids`` are theirs."""

    def __init__(self, count: int, *, reaching: str, settings: Mapping[str, str]) -> None:
        command = [sys.executable, "-m", "leadsend.engine_process"]
        env = {**os.environ, "LEADSEND_EGRESS_ALLOW": reaching, **settings}
        self._processes = [
            subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
            for _ in range(count)
        ]

    @property
    def pids(self) -> list[int]:
        """Their process ids."""
        return [process.pid for process in self._processes]

    def drain(
        self,
        connection: Connection,
        flow: Flow,
        count: int,
        *,
        before: Callable[[], None] = lambda: None,
    ) -> Drained:
        """Fill the inbox while the engines stand still, let them go, and wait for the last end.

        ``before`` is called when all is ready to go.
        """
        self.hold()
        first = moment_now(connection)
        connection.execute("CHECKPOINT")
        fill(connection, flow, count)
        before()
        began = moment_now(connection)
        self.let_go()
        wait_until_idle(connection, flow)
        return _drained(connection, flow, first=first, began=began, count=count)

    def hold(self) -> None:
        """Let them stand still."""
        for process in self._processes:
            process.send_signal(SIGSTOP)

    def let_go(self) -> None:
        """Let them go on, and wake them up."""
        for process in self._processes:
            process.send_signal(SIGCONT)
            if process.stdin is not None:
                process.stdin.write(b"!")
                process.stdin.flush()

    def stop(self) -> None:
        """Let them end what they hold."""
        self.let_go()
        for process in self._processes:
            if process.stdin is not None:
                process.stdin.close()
        for process in self._processes:
            process.wait()


@contextmanager
def running_engines(
    connection: Connection,
    count: int,
    *,
    reaching: str = "",
    settings: Mapping[str, str] | None = None,
) -> Iterator[Engines]:
    """Start engines and wait until each has signed on; they may call the host ``reaching``.

    ``settings`` are more variables for them.
    """
    began = moment_now(connection)
    engines = Engines(count, reaching=reaching, settings=settings or {})
    try:
        _wait(connection, "SELECT count(*) >= %s FROM worker WHERE started_at > %s", count, began)
        yield engines
    finally:
        engines.stop()


def wait_until_idle(connection: Connection, flow: Flow) -> None:
    """Wait until nothing is in the inbox and nothing of the flow's project is unfinished."""
    _wait(connection, f"SELECT NOT ({_UNDONE})", flow.project_id)


def since(connection: Connection, flow: Flow, began: datetime, *, count: int) -> Drained:
    """Return how long the executions of the events since then took, from that moment on."""
    return _drained(connection, flow, first=began, began=began, count=count)


def _drained(
    connection: Connection, flow: Flow, *, first: datetime, began: datetime, count: int
) -> Drained:
    row = connection.execute(_ENDED, [flow.workflow_id, first]).fetchone()
    if row is None or row[1] != count:
        raise RuntimeError(f"{flow.name}: {row} of {count} executions ended well.")
    return Drained(executions=count, seconds=(row[2] - began).total_seconds())


def _wait(connection: Connection, query: str, *parameters: object) -> None:
    deadline = clock.monotonic() + _LIMIT_S
    while clock.monotonic() < deadline:
        row = connection.execute(query.encode(), list(parameters)).fetchone()
        if row and row[0]:
            return
        time.sleep(0.1)
    raise RuntimeError("The engines did not come to an end in time.")


def moment_now(connection: Connection) -> datetime:
    """Return the database's time."""
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    if row is None:
        raise RuntimeError("The database has no clock.")
    found: datetime = row[0]
    return found
