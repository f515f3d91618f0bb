"""One walk over the steps of one level: those outside of loops, or those of one item."""

from __future__ import annotations

from datetime import datetime

from runtime.engine.commands import CallEffect
from runtime.engine.decide import is_retried, stops, taken_branch
from runtime.engine.joins import standing
from runtime.engine.plan import PlanStep
from runtime.engine.progress import Progress
from runtime.engine.state import RunState, StepRecord
from runtime.engine.work import Work


class Walk:
    """Counts arrived and dead edges as it goes; a step's successors stand behind it.

    ``ledger`` is the progress of the whole pass, in which all walks share the room that is left.
    """

    __slots__ = (
        "arrived",
        "dead",
        "done",
        "item",
        "ledger",
        "state",
        "steps",
        "stopped",
        "work",
    )

    def __init__(
        self,
        steps: tuple[PlanStep, ...],
        state: RunState,
        work: Work,
        done: Progress,
        ledger: Progress,
        stopped: bool,
    ) -> None:
        self.steps = steps
        self.state = state
        self.work = work
        self.done = done
        self.ledger = ledger
        self.item = work.item
        self.arrived = [0] * len(steps)
        self.dead = [0] * len(steps)
        self.stopped = stopped

    def loop(self, step: PlanStep, record: StepRecord | None) -> None:
        """Move a loop on as far as it goes; ``record`` is None when it begins."""
        raise NotImplementedError

    def go(self) -> None:
        """Visit all steps, until one stops the walk."""
        for step in self.steps:
            if self.stopped:
                break
            self.visit(step)
        if self.stopped:
            done = self.done
            done.calls, done.applies, done.due_at = [], [], None

    def visit(self, step: PlanStep) -> None:
        key = step.key if self.item is None else (step.id, self.item)
        record = self.state.latest.get(key)
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
        answers = self.state.answers
        if is_retried(record):
            self.try_again(step, record, due_at)
        elif record.status == "WAITING" and (step.id, self.item) in answers:
            answer = answers[step.id, self.item]
            self.add(step, self.work.end_wait(step, record, answer))
        elif due_at is not None and not self.is_due(due_at):
            self.wait(due_at)
        elif step.loop is not None:
            self.loop(step, record)
        elif record.status == "WAITING" and due_at is not None:
            wait = step.wait
            over = self.work.give_up(step, wait, record) if wait else self.work.wake(record)
            self.add(step, over)
        elif record.status in ("PENDING", "RUNNING"):
            self.start(step, attempt=record.attempt, again=record.again)

    def try_again(self, step: PlanStep, record: StepRecord, due_at: datetime | None) -> None:
        if (step.id, self.item) in self.state.in_flight:
            return
        if due_at is None or due_at <= (self.ledger.due_by or self.work.now):
            self.start(step, attempt=record.attempt + 1, again=record.again)
            return
        self.wait(due_at)
        if self.ledger.retry_at is None or due_at < self.ledger.retry_at:
            self.ledger.retry_at = due_at

    def is_due(self, moment: datetime) -> bool:
        """Say whether a moment has come; in a loop, where one claim may last, by the clock."""
        now = self.work.now
        return moment <= now or (self.item is not None and moment <= self.work.clock())

    def start(self, step: PlanStep, *, attempt: int, again: int) -> None:
        key = step.key if self.item is None else (step.id, self.item)
        if key in self.state.in_flight:
            return
        if step.loop is not None:
            self.loop(step, None)
            return
        begun = self.work.begin(step, attempt=attempt, again=again)
        if isinstance(begun, StepRecord):
            self.add(step, begun)
        elif isinstance(begun, CallEffect):
            self.done.calls.append(begun)
        else:
            self.done.applies.append(begun)

    def add(self, step: PlanStep, record: StepRecord) -> None:
        self.state.latest[step.id, record.item] = record
        self.done.records.append(record)
        self.ledger.left -= 1
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
