"""The workflows of trust runs: three steps that end in the sink, and one that kills its process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from leadsend.testing.stack import Stack
from leadsend.trust.sink import Sink

# Far above what the worst sink needs, near enough that a run settles within its minute.
RETRY = {"attempts": 100, "base_s": 0.5, "max_delay_s": 4}
TELL, ONCE = "tell", "once"
# Each tenth event also has an effect that must not be repeated.
EACH_ONCE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A published workflow: its id, the path of its webhook, and the secret that signs."""

    workflow_id: str
    path: str
    secret: str


def lead(number: int) -> dict[str, Any]:
    """Return the body of the n-th event."""
    return {
        "lead": f"lead-{number}",
        "email": f"lead{number}@example.com",
        "score": number % 100,
        "once": number % EACH_ONCE == 0,
    }


def publish_main(stack: Stack, token: str, sink: Sink) -> Flow:
    """Publish: note → known? → tell the sink → (each tenth) tell it once."""
    return _publish(
        stack,
        token,
        {
            "name": "Trust",
            "steps": [
                {
                    "id": "note",
                    "kind": "action",
                    "action_key": "set_fields",
                    "cfg": {"fields": [{"path": "lead", "value": "{{ event.lead }}"}]},
                },
                _condition("known", "{{ event.score }}", "ge", 0),
                {
                    "id": TELL,
                    "kind": "action",
                    "action_key": "http_request",
                    "retry": RETRY,
                    "cfg": {
                        "method": "POST",
                        "url": sink.url(TELL),
                        "timeout_s": 5,
                        "headers": {"X-Lead": "{{ steps.note.output.lead }}"},
                        "body": {"lead": "{{ event.lead }}"},
                    },
                },
                _condition("is_once", "{{ event.once }}", "is_true"),
                {
                    "id": ONCE,
                    "kind": "action",
                    "action_key": "trust_once",
                    "retry": RETRY,
                    "cfg": {"url": sink.url(ONCE), "lead": "{{ event.lead }}"},
                },
            ],
            "edges": [
                {"from": "note", "to": "known"},
                {"from": "known", "to": TELL, "branch_key": "yes"},
                {"from": TELL, "to": "is_once"},
                {"from": "is_once", "to": ONCE, "branch_key": "yes"},
            ],
        },
    )


def publish_poison(stack: Stack, token: str) -> Flow:
    """Publish a workflow whose only step ends its process."""
    die = {"id": "die", "kind": "action", "action_key": "trust_exit", "cfg": {"die": True}}
    return _publish(stack, token, {"name": "Poison", "steps": [die], "edges": []})


def publish_chain(
    stack: Stack, token: str, name: str, action_key: str, cfg: dict[str, Any]
) -> Flow:
    """Publish: note → one effect."""
    fields = [{"path": "lead", "value": "{{ event.lead }}"}]
    steps = [
        {"id": "note", "kind": "action", "action_key": "set_fields", "cfg": {"fields": fields}},
        {"id": "effect", "kind": "action", "action_key": action_key, "cfg": cfg},
    ]
    edges = [{"from": "note", "to": "effect"}]
    return _publish(stack, token, {"name": name, "steps": steps, "edges": edges})


def _condition(step_id: str, left: str, op: str, *right: Any) -> dict[str, Any]:
    row = {"left": left, "op": op} | ({"right": right[0]} if right else {})
    return {"id": step_id, "kind": "condition", "cfg": {"all": [row]}}


def _publish(stack: Stack, token: str, document: dict[str, Any]) -> Flow:
    triggers = [{"id": "lead", "trigger_key": "webhook"}]
    answer = stack.request(
        "POST",
        "/api/v1/workflows/",
        {**document, "triggers": triggers, "publish": True},
        token=token,
    )
    assert answer.status == 201, answer
    endpoint = answer.body["webhook_endpoints"][0]
    return Flow(
        workflow_id=answer.body["id"],
        path=endpoint["url"].removeprefix(stack.url),
        secret=endpoint["auth"]["secret"],
    )
