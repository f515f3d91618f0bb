"""From accepted to final at 50 events a second, through the real processes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from leadsend.testing.stack import Stack, running_stack, until
from leadsend.trust.crash import demo_values
from leadsend.trust.senders import send_all

PER_SECOND = 50
EVENTS = 1000
FLOW: dict[str, Any] = {
    "name": "Latency",
    "triggers": [{"id": "lead", "trigger_key": "webhook"}],
    "steps": [
        {
            "id": "note",
            "kind": "action",
            "action_key": "set_fields",
            "cfg": {"fields": [{"path": "email", "value": "{{ event.email }}"}]},
        }
    ],
}
# The marks of the distribution; both times are the database's.
_MARKS = """
SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
         ORDER BY extract(epoch FROM ended_at - created_at) * 1000), count(*)
  FROM workflow_execution WHERE workflow_id = %s AND ended_at IS NOT NULL
"""


def run() -> dict[str, Any]:
    """Return ``{"events", "per_second", "p50_ms", "p99_ms"}`` of a one-step flow."""
    with running_stack(Path(tempfile.mkdtemp(prefix="leadsend-latency-"))) as stack:
        stack.start()
        created = stack.request(
            "POST",
            "/api/v1/workflows/",
            {**FLOW, "publish": True},
            token=demo_values(stack)["API_TOKEN"],
        ).body
        endpoint = created["webhook_endpoints"][0]
        events = [(f"msg_{n}", {"email": f"lead{n}@example.com"}) for n in range(EVENTS)]
        stack.wait_for_engine()
        send_all(endpoint["url"], endpoint["auth"]["secret"], events, per_second=PER_SECOND)
        (p50, p99), count = until(lambda: _all_ended(stack, created["id"]), "all runs have ended")
        return {
            "events": count,
            "per_second": PER_SECOND,
            "p50_ms": round(p50, 1),
            "p99_ms": round(p99, 1),
        }


def _all_ended(stack: Stack, workflow_id: str) -> tuple[list[float], int] | None:
    marks, count = stack.sql(_MARKS, workflow_id)[0]
    return (marks, count) if count == EVENTS else None
