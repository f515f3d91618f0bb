"""Which steps have to be undone when a run fails, in which order, and what came of it.

A step may name the step that undoes it. When the run fails or runs out of time, the undo steps of
those steps that succeeded run one after the other, in reverse order of what was done, each at most
once. A failing undo does not stop the others; one whose outcome is unknown keeps the run open
until a person decides. A cancel undoes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from runtime.engine.commands import Finish
from runtime.engine.plan import Plan, PlanStep
from runtime.engine.state import RunState, StepKey, StepRecord

_UNDONE_ON: Final = frozenset({"FAILED", "TIMED_OUT"})
_OVER: Final = frozenset({"SUCCESS", "SKIPPED", "CANCELLED", "TIMED_OUT", "UNCERTAIN"})
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class Undo(NamedTuple):
    """A step that was done, the step that undoes it, and what is known of the latter."""

    done: StepRecord
    step: PlanStep
    record: StepRecord | None

    @property
    def key(self) -> StepKey:
        """Return under which key the undo step is known."""
        return self.step.id, self.done.item

    @property
    def is_over(self) -> bool:
        """Say whether the next one may begin."""
        if self.record is None:
            return False
        is_given_up = self.record.status == "FAILED" and self.record.due_at is None
        return is_given_up or self.record.status in _OVER


def next_undo(plan: Plan, state: RunState, finish: Finish) -> Undo | None:
    """Return the first undo that is not over, None when there is nothing (more) to undo."""
    if not plan.undo or finish.status not in _UNDONE_ON:
        return None
    return next((undo for undo in _undos(plan, state) if not undo.is_over), None)


def with_undone(plan: Plan, state: RunState, finish: Finish) -> Finish | None:
    """Return the end with what was undone in its error; None while a person has to decide.

    ``error`` gets ``"undone": [step id]`` and ``"not_undone": [{"step_id", "code", "message"}]``,
    each in the order in which it was tried.
    """
    if not plan.undo or finish.status not in _UNDONE_ON:
        return finish
    tried = [undo for undo in _undos(plan, state) if undo.record is not None]
    if any(undo.record.status == "UNCERTAIN" for undo in tried if undo.record):
        return None
    if not tried:
        return finish
    undone = [_name(undo) for undo in tried if undo.record and undo.record.status == "SUCCESS"]
    failed = [_failure(undo) for undo in tried if undo.record and undo.record.status != "SUCCESS"]
    return replace(finish, error={**(finish.error or {}), "undone": undone, "not_undone": failed})


def _undos(plan: Plan, state: RunState) -> Iterator[Undo]:
    done = [
        record
        for (step_id, _), record in state.latest.items()
        if record.status == "SUCCESS" and step_id in plan.undo
    ]
    done.sort(key=lambda record: _place(plan, record), reverse=True)
    for record in done:
        step = plan.undo[record.step_id]
        yield Undo(record, step, state.latest.get((step.id, record.item)))


def _place(plan: Plan, record: StepRecord) -> tuple[datetime, int, str]:
    return record.ended_at or _NEVER, plan.by_id[record.step_id].index, record.item or ""


def _name(undo: Undo) -> str:
    return undo.done.step_id if undo.done.item is None else f"{undo.done.step_id}[{undo.done.item}]"


def _failure(undo: Undo) -> dict[str, Any]:
    error = (undo.record.error if undo.record else None) or {}
    return {
        "step_id": _name(undo),
        "code": error.get("code", "error"),
        "message": error.get("message", "The step was not undone."),
    }
