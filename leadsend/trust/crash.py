"""The crash story: events keep coming while processes are killed, and nothing is lost or doubled.

Hard gates: accepted = finished = distinct effects; no lead with two idempotency keys; nothing that
is not final 60 s after the end.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from leadsend.testing.sinks import CountingSink, counting_sink
from leadsend.testing.stack import Stack, running_stack
from leadsend.trust.faults import Faults, Mix
from leadsend.trust.senders import Sent, send_all

SETTLE_S = 60.0
PER_SECOND = 50
BURSTS = 5
SHORT = Mix(over_s=8, workers=3, engines=2, webs=1, flushes=1, redis_away_s=3, postgres_restarts=1)
LONG = Mix(
    over_s=90, workers=20, engines=10, webs=5, flushes=1, redis_away_s=20, postgres_restarts=1
)


def run(
    *, is_full: bool = True, seed: int = 1, broker: str = "redis", kind: type[Stack] = Stack
) -> dict[str, Any]:
    """Play the story; return its counts and whether every gate holds (``passed``).

    The landing form is ``is_full=False`` with 300 events; the full one has 1,000.
    """
    events, mix = (1000, LONG) if is_full else (300, SHORT)
    directory = Path(tempfile.mkdtemp(prefix="leadsend-crash-"))
    with (
        counting_sink() as sink,
        running_stack(
            directory,
            broker=broker,
            kind=kind,
            settings={"LEADSEND_EGRESS_ALLOW": f"127.0.0.1:{sink.port}", "LEADSEND_ENGINES": "1"},
        ) as stack,
    ):
        stack.start("web", "worker1", "worker2", "beat")
        url, secret = publish_flow(stack, sink.url)
        stack.wait_for_engine()
        faults = Faults(stack, mix, seed)
        thread = faults.start()
        sent = send_in_bursts(url, secret, leads(events), over_s=mix.over_s)
        thread.join()
        if faults.failure is not None:
            raise faults.failure
        return {
            "events": events,
            "broker": broker,
            "faults": dict(faults.done),
            **judge(stack, sink, sent, events=events),
        }


def leads(count: int) -> list[tuple[str, dict[str, Any]]]:
    """Return ``(webhook id, body)`` of that many leads."""
    return [
        (f"msg_{n:06}", {"lead": f"lead-{n}", "email": f"lead{n}@example.com", "score": n % 100})
        for n in range(count)
    ]


def send_in_bursts(
    url: str, secret: str, events: list[tuple[str, dict[str, Any]]], *, over_s: float
) -> Sent:
    """Send at 50/s in bursts that begin evenly spread over the time of the faults."""
    began, sent = time.monotonic(), Sent()
    size = len(events) // BURSTS
    for number in range(BURSTS):
        time.sleep(max(0.0, began + number * over_s / BURSTS - time.monotonic()))
        burst = events[number * size : (number + 1) * size]
        send_all(url, secret, burst, per_second=PER_SECOND, sent=sent)
    return sent


def publish_flow(stack: Stack, sink_url: str) -> tuple[str, str]:
    """Publish three steps that end in a call of the sink; return the hook's URL and secret."""
    answer = stack.request(
        "POST",
        "/api/v1/workflows/",
        {
            "name": "Crash story",
            "triggers": [{"id": "lead", "trigger_key": "webhook"}],
            "steps": [
                {
                    "id": "note",
                    "kind": "action",
                    "action_key": "set_fields",
                    "cfg": {"fields": [{"path": "lead", "value": "{{ event.lead }}"}]},
                },
                {
                    "id": "known",
                    "kind": "condition",
                    "cfg": {"all": [{"left": "{{ event.score }}", "op": "ge", "right": 0}]},
                },
                {
                    "id": "tell",
                    "kind": "action",
                    "action_key": "http_request",
                    "cfg": {
                        "method": "POST",
                        "url": sink_url,
                        "headers": {"X-Lead": "{{ steps.note.output.lead }}"},
                        "body_kind": "json",
                        "body": {"lead": "{{ event.lead }}"},
                    },
                },
            ],
            "edges": [
                {"from": "note", "to": "known"},
                {"from": "known", "to": "tell", "branch_key": "yes"},
            ],
            "publish": True,
        },
        token=demo_values(stack)["API_TOKEN"],
    )
    assert answer.status == 201, answer
    endpoint = answer.body["webhook_endpoints"][0]
    return endpoint["url"], endpoint["auth"]["secret"]


def demo_values(stack: Stack) -> dict[str, str]:
    """Seed the demo data; return what it prints: ``{"API_TOKEN": …}``."""
    lines = stack.manage("seed_demo").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def judge(stack: Stack, sink: CountingSink, sent: Sent, *, events: int) -> dict[str, Any]:
    """Wait until all is final, at most 60 s; count what was lost, doubled or stuck."""
    began = time.monotonic()
    deadline = began + SETTLE_S
    while _unfinished(stack) and time.monotonic() < deadline:
        time.sleep(0.5)
    settled_s = round(time.monotonic() - began, 1)
    by_status = dict(
        stack.sql(
            "SELECT status, count(*) FROM workflow_execution e JOIN workflow_definition w"
            " ON w.id = e.workflow_id WHERE w.name = 'Crash story' GROUP BY status"
        )
    )
    counts = {
        "accepted": len(sent.accepted),
        "finished": by_status.get("SUCCESS", 0),
        "by_status": by_status,
        "effects": len(sink.keys),
        "lost": len(sent.accepted) - len(sink.keys),
        "with_two_keys": sum(len(keys) > 1 for keys in sink.keys.values()),
        "not_final": _unfinished(stack),
        "repeated_calls_with_the_same_key": sum(n - 1 for n in sink.calls.values()),
        "client_tries": sent.tries,
        "settled_after_s": settled_s,
    }
    counts["connections"] = connections(stack)
    counts["passed"] = (
        counts["accepted"] == counts["finished"] == counts["effects"] == events
        and counts["with_two_keys"] == 0
        and counts["not_final"] == 0
    )
    return counts


def connections(stack: Stack) -> dict[str, int]:
    """Return how many connections there are to the database, by what they are for."""
    return dict(
        stack.sql(
            "SELECT application_name, count(*) FROM pg_stat_activity"
            " WHERE application_name LIKE 'leadsend %' GROUP BY 1"
        )
    )


def _unfinished(stack: Stack) -> int:
    rows = stack.sql(
        "SELECT (SELECT count(*) FROM workflow_execution e JOIN workflow_definition w"
        " ON w.id = e.workflow_id WHERE w.name = 'Crash story'"
        " AND status NOT IN ('SUCCESS', 'FAILED', 'CANCELLED', 'TIMED_OUT'))"
        " + (SELECT count(*) FROM trigger_inbox) + (SELECT count(*) FROM execution_batch)"
    )
    return int(rows[0][0])
