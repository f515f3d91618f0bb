"""W1 from the sender's request to its last commit, beside pgbench with two commits an execution.

32 connections post signed events to one web process while one engine runs them; the clock stops at
the last execution's end. The reference writes the same rows, from 32 connections too: key, event
and inbox row in one commit, execution and step in the other.
"""

from __future__ import annotations

import asyncio
from statistics import median
from typing import Any, Final

import orjson

from leadsend.bench import machine, pgbench
from leadsend.bench.engines import moment_now, running_engines, since, wait_until_idle
from leadsend.bench.hook_load import Load, Seen, prepare, send_prepared
from leadsend.bench.web import NO_GRANIAN, has_granian, running_web
from leadsend.bench.workloads import EVENT, REQUEST, Flow, clear, flows
from leadsend.lib import ids
from leadsend.lib.postgres import Connection, connect

ROUNDS: Final = 3
EVENTS: Final = 12_000
CONNECTIONS: Final = 32
_REFERENCE_S: Final = 4.0


def run(*, rounds: int = ROUNDS, events: int = EVENTS) -> dict[str, Any]:
    """Return the figures by name; ``wsgi_note`` says why that part was not measured."""
    figures: dict[str, Any] = {}
    with flows("W1") as (flow,), connect("bench") as connection:
        figures |= _measure(connection, flow, "asgi", rounds, events)
        if has_granian():
            figures |= _measure(connection, flow, "wsgi", rounds, events // 2)
        else:
            figures["wsgi_note"] = NO_GRANIAN
        reference = median(_reference(connection, flow) for _ in range(rounds))
    return {
        **figures,
        "reference_two_commits_per_s": round(reference),
        "end_to_end_ratio": round(figures["asgi_per_s"] / reference, 3),
    }


def _measure(
    connection: Connection, flow: Flow, interface: str, rounds: int, events: int
) -> dict[str, float]:
    rates, latencies, cpu = [], [], []
    with running_web(interface) as (port, web), running_engines(connection, 1) as engines:
        pids = [web, *engines.pids, machine.database_pid(connection)]
        _round(connection, flow, port, 500)
        for _ in range(rounds):
            clear(connection, flow.project_id)
            before = machine.cpu_s(pid for pid in pids if pid)
            rate, seen = _round(connection, flow, port, events)
            used = machine.cpu_s(pid for pid in pids if pid) - before
            rates.append(rate)
            latencies.append(seen.percentile_ms(99))
            cpu.append(used / events * 1e6)
    return {
        f"{interface}_per_s": round(median(rates)),
        f"{interface}_accept_p99_ms": median(latencies),
        f"{interface}_cpu_us": round(median(cpu)),
    }


def _round(connection: Connection, flow: Flow, port: int, events: int) -> tuple[float, Seen]:
    body = orjson.dumps(EVENT)
    requests = prepare(Load(port=port, token=flow.token, secret=flow.secret, body=body), events)
    connection.execute("CHECKPOINT")
    began = moment_now(connection)
    seen = asyncio.run(send_prepared(port, requests, connections=CONNECTIONS))
    wait_until_idle(connection, flow)
    drained = since(connection, flow, began, count=events)
    return drained.per_s, seen


def _reference(connection: Connection, flow: Flow) -> float:
    clear(connection, flow.project_id)
    connection.execute("CHECKPOINT")
    variables = {
        "project": flow.project_id,
        "endpoint": flow.endpoint_id,
        "prefix": ids.uuid7().hex[:12],
        "data": orjson.dumps(EVENT).decode(),
        "request": orjson.dumps(REQUEST).decode(),
    }
    return pgbench.rate(
        "two_commits", variables=variables, clients=CONNECTIONS, seconds=_REFERENCE_S
    )
