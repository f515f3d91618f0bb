"""The record of an effect that could not begin: it is made later, as the same attempt."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from runtime.engine.commands import CallEffect
from runtime.engine.plan import Plan
from runtime.engine.state import RunState, StepRecord


def postponed(
    plan: Plan, state: RunState, call: CallEffect, *, due_at: datetime, reason: dict[str, Any]
) -> StepRecord:
    """Return a PENDING record with the moment at which the attempt may begin; nothing is folded.

    ``reason`` is ``{"code", "message"}``. Nothing was sent, so a crash cannot make it uncertain.
    """
    step = plan.by_id[call.step_id]
    known = state.latest.get((call.step_id, call.item))
    return StepRecord(
        step_id=step.id,
        kind=step.kind,
        action_key=step.action_key,
        status="PENDING",
        attempt=call.attempt,
        item=call.item,
        again=known.again if known else 0,
        input=call.inputs,
        error=reason,
        due_at=due_at,
        effect_key=call.idempotency_key,
    )
