"""Drives a plan by hand, one pass or one answer at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from runtime.engine.advance import advance, answer
from runtime.engine.plan import Plan
from runtime.engine.state import RunState
from runtime.engine.tests.making import NOW


def go(plan: Plan, state: RunState, *, after_s: float = 0) -> Any:
    now = NOW + timedelta(seconds=after_s)
    return advance(plan, state, now=now, clock=lambda: now)


def reply(plan: Plan, state: RunState, call: Any, **given: Any) -> None:
    times: dict[str, Any] = {"started_at": NOW, "ended_at": NOW, "now": NOW, "random": lambda: 1.0}
    state.fold([answer(plan, state, call, **(times | given))])


def statuses(state: RunState) -> dict[str, str]:
    return {record.step_id: record.status for record in state.latest.values()}
