"""Toy actions, documents and states for the tests of the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

from leadsend.lib.errors import PermanentError, RetryableError
from registry.sdk.action import Action, ActionContext, Apply, Delivery, RetryPolicy, Run
from registry.sdk.trigger import TriggerType
from runtime.engine.plan import Plan, compile_plan
from runtime.engine.state import RunInfo, RunState

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RUN_ID = UUID("01890000-0000-7000-8000-000000000001")


async def _echo(ctx: ActionContext, inputs: Mapping[str, Any]) -> Any:
    if "raise" in inputs:
        raise {"permanent": PermanentError, "retryable": RetryableError}[inputs["raise"]]("No.")
    return dict(inputs)


async def _contact(ctx: ActionContext, inputs: Mapping[str, Any]) -> Any:
    return {"email": ctx.contact.email, "key": str(ctx.idempotency_key), "now": ctx.now.isoformat()}


async def _reach_out(ctx: ActionContext, inputs: Mapping[str, Any]) -> Any:
    return await ctx.http.request("GET", "https://example.com")


async def _suspend(ctx: ActionContext, inputs: Mapping[str, Any]) -> Any:
    await asyncio.sleep(0)


async def _crash(ctx: ActionContext, inputs: Mapping[str, Any]) -> Any:
    return inputs["not there"]


async def _write(ctx: ActionContext, inputs: Mapping[str, Any]) -> Any:
    return Apply(act="task.create", arguments={"title": inputs.get("title") or ctx.contact.name})


def make_action(
    key: str,
    run: Run = _echo,
    *,
    delivery: Delivery = Delivery.NATURAL_IDEMPOTENT,
    pure: bool = False,
    attempts: int = 3,
) -> Action:
    return Action(
        key=key,
        version=1,
        title=key,
        sentence=key,
        description=key,
        category="test",
        icon="box",
        config_schema={"type": "object"},
        output_schema={},
        example={},
        sample_output=None,
        delivery=delivery,
        run=run,
        pretend=dict,
        pure=pure,
        retry=RetryPolicy(attempts=attempts),
    )


ACTIONS = {
    action.key: action
    for action in (
        make_action("echo", pure=True),
        make_action("contact", _contact, pure=True),
        make_action("reach_out", _reach_out, pure=True),
        make_action("suspend", _suspend, pure=True),
        make_action("crash", _crash, pure=True),
        make_action("send", delivery=Delivery.IDEMPOTENT_KEY),
        make_action("fire", delivery=Delivery.AT_MOST_ONCE),
        make_action("write", _write, delivery=Delivery.TRANSACTIONAL),
        make_action("no_apply", delivery=Delivery.TRANSACTIONAL),
    )
}


class ToyCatalog:
    def action(self, key: str) -> Action | None:
        return ACTIONS.get(key)

    def trigger_type(self, key: str) -> TriggerType | None:
        return None

    def action_keys(self) -> Iterable[str]:
        return ACTIONS

    def trigger_keys(self) -> Iterable[str]:
        return ()


def act(
    step_id: str, action_key: str = "echo", /, *, cfg: Any = None, **more: Any
) -> dict[str, Any]:
    return {"id": step_id, "kind": "action", "action_key": action_key, "cfg": cfg or {}, **more}


def control(step_id: str, kind: str, cfg: Any = None, **more: Any) -> dict[str, Any]:
    return {"id": step_id, "kind": kind, "cfg": cfg or {}, **more}


def make_plan(*steps: dict[str, Any], edges: Iterable[str] = (), **more: Any) -> Plan:
    """Compile steps; an edge is written ``a > b`` or ``a yes> b``. None given: a chain,
    one of each loop's steps."""
    links = [_edge(text) for text in edges] if edges else _chain(steps)
    return compile_plan(
        {"name": "Test", "steps": list(steps), "edges": links, **more}, ToyCatalog()
    )


def make_state(**facts: Any) -> RunState:
    given: dict[str, Any] = {"event": {"score": 60, "name": "Ada"}, "execution_id": RUN_ID}
    info = RunInfo(
        workflow_id=UUID(int=2),
        project_id=UUID(int=3),
        workflow_name="Test",
        run_url="https://leadsend.example/runs/1/",
        started_at=NOW,
        contact={"email": "ada@example.com", "name": "Ada Byron"},
        **(given | facts),
    )
    return RunState(run=info)


def _edge(text: str) -> dict[str, str]:
    left, target = text.split(">")
    source, _, branch = left.strip().partition(" ")
    return {"from": source, "to": target.strip(), "branch_key": branch or "default"}


def _chain(steps: tuple[dict[str, Any], ...]) -> list[dict[str, str]]:
    levels = dict.fromkeys(step.get("parent") for step in steps)
    return [
        {"from": a["id"], "to": b["id"], "branch_key": "default"}
        for level in levels
        for a, b in pairwise(step for step in steps if step.get("parent") == level)
    ]
