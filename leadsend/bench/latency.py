"""From accepted to final at 50 events a second, one web process and one engine, W1 and W2.

Both times are the database's: the event's, and the one in the execution's last commit.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from leadsend.bench.engines import running_engines, wait_until_idle
from leadsend.bench.hook_load import Load, prepare, send_steadily
from leadsend.bench.sink import running_sink
from leadsend.bench.web import running_web
from leadsend.bench.workloads import EVENT, Flow, flows
from leadsend.lib.postgres import Connection, connect

PER_SECOND: Final = 50
EVENTS: Final = 1000
_WARM_UP: Final = 100
_MARKS: Final = """
SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
         ORDER BY extract(epoch FROM ended_at - created_at) * 1000), count(*)
  FROM (SELECT ended_at, created_at FROM workflow_execution
         WHERE workflow_id = %s AND status = 'SUCCESS' ORDER BY id DESC LIMIT %s) AS latest
"""


def run(*, events: int = EVENTS) -> dict[str, Any]:
    """Return ``{"per_second", "W1_p50_ms", "W1_p99_ms", "W2_p50_ms", "W2_p99_ms"}``."""
    figures: dict[str, Any] = {"per_second": PER_SECOND}
    with (
        running_sink() as sink,
        flows("W1", "W2", sink_url=sink) as found,
        connect("bench") as connection,
        running_web() as (port, _),
        running_engines(connection, 1, reaching=urlsplit(sink).netloc),
    ):
        for flow in found:
            _send(connection, flow, port, _WARM_UP)
            _send(connection, flow, port, events)
            p50, p99 = _marks(connection, flow, events)
            figures |= {f"{flow.name}_p50_ms": p50, f"{flow.name}_p99_ms": p99}
    return figures


def _send(connection: Connection, flow: Flow, port: int, events: int) -> None:
    load = Load(port=port, token=flow.token, secret=flow.secret, body=orjson.dumps(EVENT))
    asyncio.run(send_steadily(port, prepare(load, events), per_second=PER_SECOND))
    wait_until_idle(connection, flow)


def _marks(connection: Connection, flow: Flow, events: int) -> tuple[float, float]:
    row = connection.execute(_MARKS, [flow.workflow_id, events]).fetchone()
    if row is None or row[1] != events:
        raise RuntimeError(f"{flow.name}: {row} of {events} executions ended well.")
    return round(row[0][0], 1), round(row[0][1], 1)
