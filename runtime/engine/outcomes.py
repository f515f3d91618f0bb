"""Records of what came back from outside, from a crash, and from a person."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from leadsend.lib.errors import (
    Conflict,
    LeadSendError,
    RetryableError,
    TooManyRequests,
    Unavailable,
)
from leadsend.lib.ids import idempotency_key
from registry.sdk.action import Delivery
from runtime.engine.commands import ApplyWrite, CallEffect
from runtime.engine.plan import Plan, PlanAction, PlanStep
from runtime.engine.retry import next_delay
from runtime.engine.state import RunState, StepKey, StepRecord

Place = tuple[str, str | None, int]  # (step id, item, attempt)
Verdict = Literal["succeeded", "failed", "run_again"]
_WORTH_RETRYING = (RetryableError, TooManyRequests, Unavailable)


def error_json(error: LeadSendError) -> dict[str, Any]:
    """Return ``{"code", "message"}``, and field, expression and problems where they are known."""
    found: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.problems:
        found["problems"] = [problem.as_json() for problem in error.problems]
    for name, key in (("field", "field"), ("source", "expression"), ("column", "column")):
        if value := getattr(error, name, None):
            found[key] = value
    return found


def record_answer(
    plan: Plan,
    state: RunState,
    call: CallEffect | ApplyWrite,
    *,
    output: Any = None,
    error: LeadSendError | None = None,
    started_at: datetime,
    ended_at: datetime,
    now: datetime,
    random: Callable[[], float],
) -> StepRecord:
    """Return the record of an effect or a write that was answered; nothing is folded.

    SUCCESS; FAILED with ``due_at`` while a new try can help and one is left; FAILED with branch
    ``error`` where such an edge exists; UNCERTAIN where an effect of the class ``at_most_once`` may
    have happened. ``random`` returns 0 to 1.
    """
    step = plan.by_id[call.step_id]
    answered = StepRecord(
        step_id=step.id,
        kind=step.kind,
        action_key=step.action_key,
        status="SUCCESS",
        attempt=call.attempt,
        item=call.item,
        again=_again(state, call),
        branch="default",
        input=call.inputs,
        output=output,
        started_at=started_at,
        ended_at=ended_at,
        effect_key=call.idempotency_key,
    )
    if error is None and isinstance(call, ApplyWrite) and call.waits:
        return replace(answered, status="WAITING", branch="", ended_at=None, due_at=call.due_at)
    if error is None:
        return answered
    failure = error_json(error)
    if _may_have_happened(call, error):
        return replace(
            answered, status="UNCERTAIN", branch="", output=None, error=failure, ended_at=None
        )
    tries = state.tries((call.step_id, call.item), attempt=call.attempt, again=answered.again)
    due_at = _next_try(step, tries, error, max(now, ended_at), random)
    due_at = None if _is_too_late(step, state, answered, due_at) else due_at
    branch = "error" if due_at is None and step.has_error_branch else ""
    return replace(
        answered, status="FAILED", branch=branch, output=None, error=failure, due_at=due_at
    )


def records_after_crash(
    plan: Plan,
    state: RunState,
    pending: Iterable[Place],
    *,
    now: datetime,
) -> list[StepRecord]:
    """Return UNCERTAIN records for those effects that must not be called again by themselves.

    ``pending`` is the intent that a dead process left: ``(step id, item, attempt)``. Effects of the
    other classes are simply called again under the same key, so nothing is recorded for them.
    """
    return [
        _lost(plan.by_id[step_id], state, item, attempt, now)
        for step_id, item, attempt in pending
        if _happens_at_most_once(plan.by_id[step_id])
    ]


def record_late(
    plan: Plan,
    state: RunState,
    place: Place,
    *,
    now: datetime,
    random: Callable[[], float],
) -> StepRecord:
    """Return the record of an effect whose time ran out while nobody waited for its answer.

    Its process died, or hung and lost it. It counts as a time-out that may have happened: UNCERTAIN
    for the class ``at_most_once``, else an attempt that failed and is tried again.
    """
    step_id, item, attempt = place
    step = plan.by_id[step_id]
    call = cast(PlanAction, step.call)
    known = state.latest.get((step_id, item))
    lost = CallEffect(
        step_id=step_id,
        attempt=attempt,
        action_key=step.action_key,
        inputs={},
        delivery=call.action.delivery,
        idempotency_key=idempotency_key(
            state.run.execution_id, step_id, item, known.again if known else 0
        ),
        timeout_s=call.timeout_s,
        item=item,
    )
    error = RetryableError(
        "The step gave no answer in time, and its process was lost, so it may have happened.",
        code="timeout",
        uncertain=True,
    )
    record = record_answer(
        plan,
        state,
        lost,
        error=error,
        started_at=now - timedelta(seconds=call.timeout_s),
        ended_at=now,
        now=now,
        random=random,
    )
    return replace(record, input=None)


def settle(
    plan: Plan,
    state: RunState,
    key: StepKey,
    verdict: Verdict,
    *,
    output: Any = None,
    reason: str = "",
    now: datetime,
) -> StepRecord:
    """Return the record of a person's decision about an UNCERTAIN step.

    ``run_again`` makes the next attempt due at once, under a new key. Raises Conflict when the
    step is not UNCERTAIN.
    """
    record = state.latest.get(key)
    if record is None or record.status != "UNCERTAIN":
        raise Conflict(f"Step {key[0]} does not wait for a decision any more.")
    if verdict == "succeeded":
        return replace(
            record, status="SUCCESS", branch="default", output=output, error=None, ended_at=now
        )
    error = {**(record.error or {}), "decision": verdict, "reason": reason}
    if verdict == "run_again":
        return replace(
            record, status="FAILED", error=error, ended_at=now, due_at=now, again=record.again + 1
        )
    branch = "error" if plan.by_id[key[0]].has_error_branch else ""
    return replace(record, status="FAILED", branch=branch, error=error, ended_at=now)


def close_open_steps(
    state: RunState, *, now: datetime, inside: str | None = None
) -> list[StepRecord]:
    """Return CANCELLED records for the steps that a finished run will not go on with.

    ``inside`` is the path of an item of a loop: then only for what is open of this item.
    """
    unused = [record for key, record in state.reserve.items() if key not in state.latest]
    return [
        replace(record, status="CANCELLED", ended_at=now, due_at=None)
        for record in (*state.latest.values(), *unused)
        if record.status in ("WAITING", "UNCERTAIN", "PENDING", "RUNNING")
        and (inside is None or f"{record.item}.".startswith(f"{inside}."))
    ]


def _again(state: RunState, call: CallEffect | ApplyWrite) -> int:
    known = state.latest.get((call.step_id, call.item))
    return known.again if known else 0


def _may_have_happened(call: CallEffect | ApplyWrite, error: LeadSendError) -> bool:
    return (
        isinstance(call, CallEffect)
        and call.delivery is Delivery.AT_MOST_ONCE
        and isinstance(error, RetryableError)
        and error.uncertain
    )


def _next_try(
    step: PlanStep,
    attempt: int,
    error: LeadSendError,
    after: datetime,
    random: Callable[[], float],
) -> datetime | None:
    if not isinstance(error, _WORTH_RETRYING) or step.call is None:
        return None
    delay_s = next_delay(step.call.retry, attempt, random=random, retry_after_s=error.retry_after_s)
    return None if delay_s is None else after + timedelta(seconds=delay_s)


def _is_too_late(
    step: PlanStep, state: RunState, record: StepRecord, due_at: datetime | None
) -> bool:
    """Say whether the next attempt would begin when the step has had its time over all of them."""
    within_s = step.call.retry.within_s if step.call else None
    if within_s is None or due_at is None:
        return False
    began_at = state.began.get((record.step_id, record.item)) or record.started_at
    return began_at is not None and due_at >= began_at + timedelta(seconds=within_s)


def _happens_at_most_once(step: PlanStep) -> bool:
    call: PlanAction | None = step.call
    return call is not None and call.action.delivery is Delivery.AT_MOST_ONCE


def _lost(
    step: PlanStep, state: RunState, item: str | None, attempt: int, now: datetime
) -> StepRecord:
    known = state.latest.get((step.id, item))
    again = known.again if known else 0
    error: Mapping[str, Any] = {
        "code": "uncertain",
        "message": "The process died while this step was under way, so it may have happened. "
        "Look at the other side, then say whether it did.",
    }
    return StepRecord(
        step_id=step.id,
        kind=step.kind,
        action_key=step.action_key,
        status="UNCERTAIN",
        attempt=attempt,
        item=item,
        again=again,
        error=error,
        started_at=now,
        effect_key=idempotency_key(state.run.execution_id, step.id, item, again),
    )
