"""The decision maker: what has to be done next, from what is known. The same answer every time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from runtime.engine.commands import Command, Finish, RunPure, Skip, WaitFor, WaitUntil
from runtime.engine.joins import standing
from runtime.engine.plan import Plan, PlanStep
from runtime.engine.state import RunState, StepRecord
from runtime.engine.undoing import next_undo, with_undone
from runtime.engine.work import Work

_FAILED: Final = frozenset({"FAILED", "TIMED_OUT"})
TIMED_OUT: Final = Finish(
    status="TIMED_OUT",
    error={
        "code": "timed_out",
        "message": "The run was at work for longer than its time limit.",
        "step_id": None,
    },
)


def decide(plan: Plan, state: RunState, now: datetime) -> list[Command]:
    """Return what can be done now, in the order of the plan; nothing is changed.

    - A step starts when its join is satisfied, and is skipped when no branch led to it.
    - A final failure without an ``error`` edge, an ``end`` step or a cancel starts nothing more;
      the run ends once nothing is in flight.
    - While a step is UNCERTAIN only a cancel or the run's time limit ends it.
    - A run that fails or is out of time first undoes what it did, as ``undoing`` says.
    - An empty answer, or one of waits only, means that something outside has to come first: an
      effect under way, an answer, or a person.

    ``advance`` is the same rules in one pass; this form is the one to read and to test against. A
    loop is one step here: what its items ask for is told by ``advance`` alone.
    """
    stopped = is_stopped(plan, state)
    commands: list[Command] = []
    if not stopped:
        work = Work(plan, state, now=now, clock=lambda: now)
        for step in plan.steps:
            commands.extend(_of_step(plan, step, state, work))
    if not commands and not state.in_flight:
        finish = finish_of(plan, state)
        return list(_undo_or_end(plan, state, finish, now)) if finish else []
    return commands


def is_stopped(plan: Plan, state: RunState) -> bool:
    """Say whether nothing new may start: cancelled, out of time, failed for good, or ended."""
    if state.cancel_requested or state.timed_out:
        return True
    return any(
        record.item is None and stops(plan.by_id[record.step_id], record)
        for record in state.latest.values()
    )


def stops(step: PlanStep, record: StepRecord) -> bool:
    """Say whether after this record nothing new may start."""
    if record.status in _FAILED:
        return record.due_at is None and not step.has_error_branch
    return step.kind == "end" and record.status == "SUCCESS"


def finish_of(plan: Plan, state: RunState) -> Finish | None:
    """Return how a run ends in which nothing can start and nothing is in flight.

    None while a person has to decide about a step, or a delay or a retry still counts.
    """
    if state.cancel_requested:
        error = {"code": "cancelled", "message": "The run was cancelled.", "step_id": None}
        return Finish(status="CANCELLED", error=error)
    return verdict_of(plan.steps, state, None)


def verdict_of(steps: Iterable[PlanStep], state: RunState, item: str | None) -> Finish | None:
    """Return how the steps of one level end, a run's or an item's; None as of ``finish_of``."""
    stopping: tuple[PlanStep, StepRecord] | None = None
    waits = is_looping = False
    for step in steps:
        record = state.latest.get(step.key if item is None else (step.id, item))
        if record is None or (record.status == "SUCCESS" and step.kind != "end"):
            continue
        if record.status == "UNCERTAIN" and not state.timed_out:
            return None
        is_looping = is_looping or (step.loop is not None and record.status == "RUNNING")
        waits = waits or record.status in ("WAITING", "PENDING") or is_retried(record)
        # An end that was reached stands: a failure after it is of a branch still under way then.
        if stops(step, record) and (stopping is None or _outranks(record, stopping[1])):
            stopping = step, record
    if stopping is None:
        if state.timed_out:
            return TIMED_OUT
        return None if waits or is_looping else Finish(status="SUCCESS")
    if is_looping and not state.timed_out and _is_uncertain_inside(state, item):
        return None
    step, record = stopping
    return _ended(step, record) if record.status == "SUCCESS" else _failed(step, record)


def _outranks(record: StepRecord, other: StepRecord) -> bool:
    return record.status == "SUCCESS" != other.status


def is_retried(record: StepRecord) -> bool:
    """Say whether another attempt follows this one."""
    return record.status == "FAILED" and record.due_at is not None


def taken_branch(step: PlanStep, record: StepRecord) -> str | None:
    """Return the branch on which the run goes on from a record; None while it is open.

    "" is no branch at all: of a skipped step every edge is dead.
    """
    if record.status == "SUCCESS":
        return record.branch or "default"
    if record.status in _FAILED:
        return None if is_retried(record) else "error" if step.has_error_branch else ""
    return "" if record.status in ("SKIPPED", "CANCELLED") else None


def _is_uncertain_inside(state: RunState, item: str | None) -> bool:
    return any(
        record.status == "UNCERTAIN"
        and record.item is not None
        and (item is None or record.item.startswith(f"{item}."))
        for record in state.latest.values()
    )


def _of_step(plan: Plan, step: PlanStep, state: RunState, work: Work) -> Iterator[Command]:
    record = state.latest.get(step.key)
    if step.key in state.in_flight:
        return
    if record is not None:
        yield from _go_on(step, record, state, work)
        return
    ready = _standing(plan, step, state)
    if ready == "dead":
        yield Skip(step_id=step.id)
    elif ready == "ready":
        yield _start(step, work, attempt=1, again=0)


def _undo_or_end(plan: Plan, state: RunState, finish: Finish, now: datetime) -> Iterator[Command]:
    undo = next_undo(plan, state, finish)
    if undo is None:
        end = with_undone(plan, state, finish)
        yield from [end] if end else []
        return
    work = Work(plan, state, now=now, clock=lambda: now)
    if undo.record is None:
        yield _start(undo.step, work, attempt=1, again=0)
    else:
        yield from _go_on(undo.step, undo.record, state, work)


def _go_on(step: PlanStep, record: StepRecord, state: RunState, work: Work) -> Iterator[Command]:
    if record.status == "WAITING":
        yield _waiting(step, record, state, work)
    elif record.due_at is not None and is_retried(record):
        if record.due_at > work.now:
            yield WaitUntil(step_id=step.id, due_at=record.due_at)
        else:
            yield _start(step, work, attempt=record.attempt + 1, again=record.again)
    elif record.status == "PENDING" and record.due_at is not None and record.due_at > work.now:
        yield WaitUntil(step_id=step.id, due_at=record.due_at)
    elif record.status in ("PENDING", "RUNNING"):
        yield _start(step, work, attempt=record.attempt, again=record.again)


def _waiting(step: PlanStep, record: StepRecord, state: RunState, work: Work) -> Command:
    if step.key in state.answers or (record.due_at is not None and record.due_at <= work.now):
        return RunPure(step_id=step.id, attempt=record.attempt)
    if record.due_at is None:
        return WaitFor(step_id=step.id)
    return WaitUntil(step_id=step.id, due_at=record.due_at)


def _start(step: PlanStep, work: Work, *, attempt: int, again: int) -> Command:
    touches = step.call is not None and not step.call.action.pure
    if touches or (step.wait is not None and step.wait.act):
        begun = work.begin(step, attempt=attempt, again=again)
        if not isinstance(begun, StepRecord):
            return begun
    # Also when its settings cannot be evaluated: running it makes the record that says so.
    return RunPure(step_id=step.id, attempt=attempt)


def _standing(plan: Plan, step: PlanStep, state: RunState) -> str:
    arrived = dead = 0
    for source, branch in step.sources:
        before = plan.steps[source]
        record = state.latest.get(before.key)
        taken = taken_branch(before, record) if record else None
        arrived += taken == branch
        dead += taken is not None and taken != branch
    return standing(arrived, dead, incoming=step.incoming, threshold=step.threshold)


def _ended(step: PlanStep, record: StepRecord) -> Finish:
    if record.branch != "failed":
        return Finish(status="SUCCESS", output=record.output)
    given: Any = record.input.get("message") if isinstance(record.input, dict) else None
    message = str(given) if given else "The workflow ended here as failed."
    error = {"code": "ended_as_failed", "message": message, "step_id": step.id}
    return Finish(status="FAILED", output=record.output, error=error)


def _failed(step: PlanStep, record: StepRecord) -> Finish:
    error = record.error or {}
    return Finish(
        status="FAILED",
        error={
            "code": error.get("code", "error"),
            "message": error.get("message", "The step failed."),
            "step_id": step.id,
        },
    )
