"""Moving one execution on: everything that can be done in memory, in one pass."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from leadsend.lib.errors import LeadSendError
from runtime.engine.commands import ApplyWrite, CallEffect, Finish
from runtime.engine.decide import finish_of, is_stopped
from runtime.engine.looping import LoopWalk
from runtime.engine.outcomes import close_open_steps, record_answer
from runtime.engine.plan import Plan
from runtime.engine.progress import MOST_IN_ONE_PASS, Progress
from runtime.engine.state import RunState, StepRecord
from runtime.engine.undoing import next_undo, with_undone
from runtime.engine.walk import Walk
from runtime.engine.work import Work


def advance(
    plan: Plan,
    state: RunState,
    *,
    now: datetime,
    clock: Callable[[], datetime],
    budget: int = MOST_IN_ONE_PASS,
    due_by: datetime | None = None,
) -> Progress:
    """Do all that ``decide`` asks for and that touches nothing; fold it into ``state``.

    ``now`` is the stored time of the claim, seen by expressions and compared with due times, so a
    pass that is repeated after a crash comes out the same. ``clock`` is read for the times of the
    records. A step's successors stand behind it in the plan, so one pass in its order is enough.
    When the run fails or ends in this pass, the effects that it would have started are dropped.
    ``budget`` is about how many records of steps in loops are made before ``has_more`` says that
    the rest is for another pass. Retries are due up to ``due_by`` (None: ``now``): they send what
    was sent before, so the clock may go on under them while other effects are in flight.
    """
    work = Work(plan, state, now=now, clock=clock)
    done = Progress(left=budget, due_by=due_by)
    return _Pass(plan, state, work, done).progress()


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


class _Pass(LoopWalk):
    """The walk over the steps outside of loops, and what follows for the run as a whole."""

    __slots__ = ("plan",)

    def __init__(self, plan: Plan, state: RunState, work: Work, done: Progress) -> None:
        Walk.__init__(self, plan.steps, state, work, done, done, is_stopped(plan, state))
        self.plan = plan

    def progress(self) -> Progress:
        self.go()
        done, state = self.done, self.state
        if not done.calls and not done.applies and not state.in_flight:
            done.finish = finish_of(self.plan, state)
            if done.finish and self.plan.undo:
                done.finish = self.undo(done.finish)
        started: list[CallEffect | ApplyWrite] = [*done.calls, *done.applies]
        if done.finish:
            self.close()
        if self.stopped or done.finish:
            done.has_more, done.gather = False, ()
        state.in_flight.update((command.step_id, command.item) for command in started)
        return done

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
