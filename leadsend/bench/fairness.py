"""How long events of one workflow wait to start, alone and while another workflow floods.

Through the real processes. The quiet workflow gets events at a steady rate over HTTP all the time.
``flood`` sends ten times as many to another one beside it; ``backlog`` puts far more than can be done
in that time into the inbox at once, in front of the quiet one's events.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from leadsend.lib import clock, ids
from leadsend.testing.stack import Stack, running_stack, until
from leadsend.trust.crash import demo_values
from leadsend.trust.senders import send_all
from triggers import lanes

PER_SECOND: Final = 20
SECONDS: Final = 15
TIMES: Final = 10
BACKLOG: Final = 60_000
_STEP: Final = {
    "id": "note",
    "kind": "action",
    "action_key": "set_fields",
    "cfg": {"fields": [{"path": "email", "value": "{{ event.email }}"}]},
}
# Both times are the database's: accepted, and taken on by an engine.
_DELAYS: Final = """
SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
         ORDER BY extract(epoch FROM started_at - created_at) * 1000), count(*)
  FROM workflow_execution
 WHERE workflow_id = %s AND started_at IS NOT NULL AND context_data ->> 'part' = %s
"""
_FILL: Final = """
WITH new AS (
  SELECT id, place, %s::uuid AS project_id, %s AS source
    FROM unnest(%s::uuid[], %s::uuid[]) AS x(id, place)
), event AS (
  INSERT INTO trigger_event (id, project_id, trigger_key, trigger_type, source, data)
  SELECT id, project_id, 'webhook', 'webhook', source, '{"email": "flood@example.com"}' FROM new
)
INSERT INTO trigger_inbox (id, event_id) SELECT place, id FROM new
"""


def run() -> dict[str, Any]:
    """Return p50 and p99 start delays in milliseconds by part, and what floods do to the p99."""
    with running_stack(Path(tempfile.mkdtemp(prefix="leadsend-fairness-"))) as stack:
        stack.start()
        quiet, loud = _publish(stack, "Quiet"), _publish(stack, "Loud")
        stack.wait_for_engine()
        _measure(stack, quiet, "warm up", seconds=3)
        figures: dict[str, Any] = {
            "idle": _measure(stack, quiet, "idle"),
            "flood": _measure(stack, quiet, "flood", beside=lambda: _flood(loud)),
        }
        _fill(stack, loud)
        figures["backlog"] = _measure(stack, quiet, "backlog")
        figures["left_of_backlog"] = stack.sql("SELECT count(*) FROM trigger_inbox")[0][0]
    for part in ("flood", "backlog"):
        ratio = figures[part]["p99_ms"] / max(figures["idle"]["p99_ms"], 0.1)
        figures[f"ratio_{part}"] = round(ratio, 2)
    return figures


def _publish(stack: Stack, name: str) -> dict[str, Any]:
    trigger = {"id": "lead", "trigger_key": "webhook"}
    document = {"name": name, "triggers": [trigger], "steps": [_STEP], "publish": True}
    token = demo_values(stack)["API_TOKEN"]
    created: dict[str, Any] = stack.request(
        "POST", "/api/v1/workflows/", document, token=token
    ).body
    return created


def _measure(
    stack: Stack,
    quiet: dict[str, Any],
    part: str,
    *,
    seconds: int = SECONDS,
    beside: Callable[[], None] | None = None,
) -> dict[str, float]:
    count = PER_SECOND * seconds
    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(beside) if beside else None
        _send(quiet, part, count, PER_SECOND)
        if other is not None:
            other.result()
    found = until(
        lambda: (row := stack.sql(_DELAYS, quiet["id"], part)[0])[1] == count and row,
        f"all runs of {part} have begun",
        limit_s=120,
    )
    p50, p99 = found[0]
    return {"p50_ms": round(p50, 1), "p99_ms": round(p99, 1), "events": count}


def _send(workflow: dict[str, Any], part: str, count: int, per_second: float) -> None:
    endpoint = workflow["webhook_endpoints"][0]
    stamp = clock.now().timestamp()
    events = [
        (f"{part} {stamp} {number}", {"email": f"{number}@example.com", "part": part})
        for number in range(count)
    ]
    send_all(endpoint["url"], endpoint["auth"]["secret"], events, per_second=per_second)


def _flood(loud: dict[str, Any]) -> None:
    _send(loud, "loud", PER_SECOND * TIMES * SECONDS, PER_SECOND * TIMES)


def _fill(stack: Stack, loud: dict[str, Any]) -> None:
    row = stack.sql(
        "SELECT project_id, source FROM workflow_subscription WHERE workflow_id = %s", loud["id"]
    )[0]
    now = int(clock.now().timestamp() * 1000)
    events = [ids.uuid7(now) for _ in range(BACKLOG)]
    places: list[UUID] = [lanes.place(event, row[1]) for event in events]
    stack.sql(_FILL + " RETURNING 1", row[0], row[1], events, places)
