"""Moving one execution on: everything that can be done in memory, in one pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from leadsend.lib.errors import LeadSendError
from runtime.engine.commands import ApplyWrite, CallEffect, Finish
from runtime.engine.decide import finish_of, is_retried, is_stopped, stops, taken_branch
from runtime.engine.joins import standing
from runtime.engine.outcomes import close_open_steps, record_answer
from runtime.engine.plan import Plan, PlanStep
from runtime.engine.state import RunState, StepRecord
from runtime.engine.undoing import next_undo, with_undone
from runtime.engine.work import Work


@dataclass(slots=True, kw_only=True)
class Progress:
    """What one pass came to.

    ``records`` are new or changed rows, already folded into the state. ``calls`` and ``applies``
    are asked for once: they are in the state's ``in_flight`` now, until their answer is folded.
    ``due_at`` is the earliest moment at which another pass can do more; None when only an answer,
    a person or nothing at all can.
    """

    records: list[StepRecord] = field(default_factory=list)
    calls: list[CallEffect] = field(default_factory=list)
    applies: list[ApplyWrite] = field(default_factory=list)
    due_at: datetime | None = None
    finish: Finish | None = None


def advance(
    plan: Plan, state: RunState, *, now: datetime, clock: Callable[[], datetime]
) -> Progress:
    """Do all that ``decide`` asks for and that touches nothing; fold it into ``state``.

    ``now`` is the stored time of the claim, seen by expressions and compared with due times, so a
    pass that is repeated after a crash comes out the same. ``clock`` is read for the times of the
    records. A step's successors stand behind it in the plan, so one pass in its order is enough.
    When the run fails or ends in this pass, the effects that it would have started are dropped.
    """
    return _Pass(plan, state, now, clock).progress()


def answer(
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
    """Return the record of an answered call or write; see ``outcomes.record_answer``."""
    return record_answer(
        plan,
        state,
        call,
        output=output,
        error=error,
        started_at=started_at,
        ended_at=ended_at,
        now=now,
        random=random,
    )


class _Pass:
    """One walk over the plan, which counts arrived and dead edges as it goes."""

    __slots__ = ("arrived", "dead", "done", "plan", "state", "stopped", "work")

    def __init__(
        self, plan: Plan, state: RunState, now: datetime, clock: Callable[[], datetime]
    ) -> None:
        self.plan = plan
        self.state = state
        self.done = Progress()
        self.work = Work(plan, state, now=now, clock=clock)
        self.arrived = [0] * len(plan.steps)
        self.dead = [0] * len(plan.steps)
        self.stopped = is_stopped(plan, state)

    def progress(self) -> Progress:
        for step in self.plan.steps:
            if self.stopped:
                break
            self.visit(step)
        done, state = self.done, self.state
        if self.stopped:
            done.calls, done.applies, done.due_at = [], [], None
        if not done.calls and not done.applies and not state.in_flight:
            done.finish = finish_of(self.plan, state)
            if done.finish and self.plan.undo:
                done.finish = self.undo(done.finish)
        started: list[CallEffect | ApplyWrite] = [*done.calls, *done.applies]
        if done.finish:
            self.close()
        state.in_flight.update((command.step_id, command.item) for command in started)
        return done

    def visit(self, step: PlanStep) -> None:
        record = self.state.latest.get(step.key)
        if record is None:
            at = step.index
            ready = standing(
                self.arrived[at],
                self.dead[at],
                incoming=step.incoming,
                threshold=step.threshold,
            )
            if ready == "ready":
                self.start(step, attempt=1, again=0)
            elif ready == "dead":
                self.add(step, self.work.skip(step))
        elif (taken := taken_branch(step, record)) is not None:
            self.settle(step, taken)
        else:
            self.go_on(step, record)

    def go_on(self, step: PlanStep, record: StepRecord) -> None:
        """Take up an open record: end the wait or delay, wait for its moment, or try again."""
        due_at = record.due_at
        if record.status == "WAITING" and step.key in self.state.answers:
            self.add(step, self.work.end_wait(step, record, self.state.answers[step.key]))
        elif due_at is not None and due_at > self.work.now:
            self.wait(due_at)
        elif record.status == "WAITING" and due_at is not None:
            wait = step.wait
            over = self.work.give_up(step, wait, record) if wait else self.work.wake(record)
            self.add(step, over)
        elif is_retried(record):
            self.start(step, attempt=record.attempt + 1, again=record.again)
        elif record.status in ("PENDING", "RUNNING"):
            self.start(step, attempt=record.attempt, again=record.again)

    def start(self, step: PlanStep, *, attempt: int, again: int) -> None:
        if step.key in self.state.in_flight:
            return
        begun = self.work.begin(step, attempt=attempt, again=again)
        if isinstance(begun, StepRecord):
            self.add(step, begun)
        elif isinstance(begun, CallEffect):
            self.done.calls.append(begun)
        else:
            self.done.applies.append(begun)

    def add(self, step: PlanStep, record: StepRecord) -> None:
        self.state.latest[step.key] = record
        self.done.records.append(record)
        self.work.learn(record)
        taken = taken_branch(step, record)
        if taken is not None:
            self.settle(step, taken)
            self.stopped = stops(step, record)
        elif record.due_at is not None:
            self.wait(record.due_at)

    def settle(self, step: PlanStep, taken: str) -> None:
        for branch, target in step.edges:
            if branch == taken:
                self.arrived[target] += 1
            else:
                self.dead[target] += 1

    def wait(self, due_at: datetime) -> None:
        if self.done.due_at is None or due_at < self.done.due_at:
            self.done.due_at = due_at

    def undo(self, finish: Finish) -> Finish | None:
        """Begin undo steps one after the other; None as long as there is something to wait for."""
        while undo := next_undo(self.plan, self.state, finish):
            if undo.record is None:
                self.start(undo.step, attempt=1, again=0)
            else:
                self.go_on(undo.step, undo.record)
            if self.state.latest.get(undo.key) is undo.record:
                return None
        return with_undone(self.plan, self.state, finish)

    def close(self) -> None:
        closed = close_open_steps(self.state, now=self.work.clock())
        if not closed:
            return
        self.state.fold(closed)
        keys = {(record.step_id, record.item) for record in closed}
        kept = [r for r in self.done.records if (r.step_id, r.item) not in keys]
        self.done.records = kept + closed
        self.done.due_at = None
