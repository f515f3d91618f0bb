"""Memory of an engine process after 200,000 executions, beside its level at 20,000."""

from __future__ import annotations

from typing import Any, Final

from leadsend.bench import machine
from leadsend.bench.engines import running_engines
from leadsend.bench.workloads import clear, flows
from leadsend.lib.postgres import connect

FIRST: Final = 20_000
ALL: Final = 200_000
_AT_ONCE: Final = 10_000


def run(*, first: int = FIRST, count: int = ALL) -> dict[str, Any]:
    """Return the resident memory at both marks in MiB, and the growth between them."""
    at_first = at_last = 0.0
    with (
        flows("W1") as (flow,),
        connect("bench") as connection,
        running_engines(connection, 1) as engines,
    ):
        for done in range(_AT_ONCE, count + 1, _AT_ONCE):
            engines.drain(connection, flow, _AT_ONCE)
            at_last = machine.rss_mib(engines.pids[0])
            if done <= first:
                at_first = at_last
            engines.hold()
            clear(connection, flow.project_id)
    return {
        "executions": count,
        "at_first_mib": round(at_first, 1),
        "at_last_mib": round(at_last, 1),
        "growth": round(at_last / at_first - 1, 3),
    }
