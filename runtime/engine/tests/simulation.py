"""One execution's rows, its workers and the outside world, in memory with a clock of its own.

The rules of the shell are kept here in their shortest form: lease, fence, intent before effect,
one recording commit. What the machine and the seeds attack is the engine under these rules.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from leadsend.lib.errors import LeadSendError, PermanentError, RetryableError
from registry.sdk.action import Delivery
from runtime.engine.advance import advance, answer
from runtime.engine.commands import CallEffect
from runtime.engine.outcomes import Verdict, close_open_steps, records_after_crash, settle
from runtime.engine.plan import Plan, PlanStep
from runtime.engine.progress import Progress
from runtime.engine.state import RunState, StepKey, StepRecord
from runtime.engine.tests.making import NOW, RUN_ID, make_state
from runtime.engine.transitions import (
    EXECUTION_FINAL,
    STEP_FINAL,
    can_execution_go,
    can_step_go,
)
from runtime.engine.waits import ANSWERED_KINDS

LEASE = timedelta(seconds=30)
MOST_CRASHES = 3
Came = Literal["good", "later", "never", "lost"]
_ERRORS: dict[Came, LeadSendError | None] = {
    "good": None,
    "later": RetryableError("Later."),
    "never": PermanentError("Never."),
    "lost": RetryableError("The answer was lost.", uncertain=True),
}


def _path(item: str | None, index: int) -> str:
    return str(index) if item is None else f"{item}.{index}"


@dataclass(eq=False)
class Worker:
    """A process that claimed the execution, perhaps long ago."""

    fence: int
    state: RunState
    calls: list[CallEffect] = field(default_factory=list)


@dataclass
class Store:
    """The database, and what the outside world saw of it."""

    plan: Plan
    now: datetime = NOW
    run_id: UUID = RUN_ID
    status: str = "PENDING"
    crash_count: int = 0
    fence: int = 0
    lease_until: datetime | None = None
    due_at: datetime | None = None
    pending: list[tuple[str, str | None, int]] = field(default_factory=list)
    cancel_requested: bool = False
    rows: dict[tuple[str, str | None, int], StepRecord] = field(default_factory=dict)
    answers: dict[tuple[str, str | None], Any] = field(default_factory=dict)
    happened: Counter[UUID] = field(default_factory=Counter)
    keys: dict[UUID, tuple[str, str | None, int]] = field(default_factory=dict)

    @property
    def is_final(self) -> bool:
        return self.status in EXECUTION_FINAL

    def load(self) -> RunState:
        state = make_state(execution_id=self.run_id)
        state.fold(self.known())
        state.cancel_requested = self.cancel_requested
        state.answers = dict(self.answers)
        return state

    def known(self) -> list[StepRecord]:
        """Return the rows that a claim reads: of a loop only those of its open items."""
        found: list[StepRecord] = []
        outside = (*self.plan.steps, *self.plan.undo.values())
        wanted: list[tuple[PlanStep, str | None]] = [(step, None) for step in outside]
        while wanted:
            step, item = wanted.pop()
            tries = [
                row for (name, at, _), row in self.rows.items() if (name, at) == (step.id, item)
            ]
            found += tries
            for row in tries:
                if step.loop is not None and row.status == "RUNNING":
                    paths = [_path(item, index) for index in row.output["open"]]
                    wanted += [(inner, path) for path in paths for inner in step.loop.body]
        return found

    def items_of(self, key: StepKey) -> list[StepRecord]:
        """Return the rows that say what the settled items of a loop came to."""
        step_id, item = key
        below = "" if item is None else f"{item}."
        return [
            row
            for (name, at, _), row in self.rows.items()
            if name == step_id and at is not None and at.startswith(below)
        ]

    def open_row(self, status: str) -> StepRecord | None:
        return next((row for row in self.rows.values() if row.status == status), None)

    def waiting(self) -> list[StepRecord]:
        """Return the steps that wait for an answer which has not come."""
        return [
            row
            for row in self.rows.values()
            if row.status == "WAITING"
            and row.kind in ANSWERED_KINDS
            and (row.step_id, row.item) not in self.answers
        ]

    def answer(self, row: StepRecord, given: Any) -> None:
        """Let somebody answer a waiting step, whoever holds the execution meanwhile."""
        self.answers[row.step_id, row.item] = given
        if self.status == "WAITING":
            self._go("PENDING")

    def is_claimable(self) -> bool:
        due = self.status == "WAITING" and self.due_at is not None and self.due_at <= self.now
        return self.status == "PENDING" or due

    def claim(self) -> Worker:
        """Claim, run the first segment and commit it."""
        assert self.is_claimable()
        self._go("RUNNING" if self.status == "PENDING" else "PENDING")
        self._go("RUNNING")
        self.fence += 1
        self.lease_until = self.now + LEASE
        worker = Worker(fence=self.fence, state=self.load())
        self._segment(worker, [])
        return worker

    def reply(self, worker: Worker, at: int, came: Came) -> bool:
        """Let the world answer one call of a worker; say whether it could be recorded."""
        call = worker.calls.pop(at)
        if came in ("good", "lost"):
            self.happened[call.idempotency_key] += 1
        worker.state.cancel_requested = self.cancel_requested
        record = answer(
            self.plan,
            worker.state,
            call,
            output=came,
            error=_ERRORS[came],
            started_at=self.now,
            ended_at=self.now,
            now=self.now,
            random=lambda: 0.5,
        )
        worker.state.fold([record])
        return self._segment(worker, [record])

    def die(self, worker: Worker, *, after_effects: bool) -> None:
        """Let a process die, before the world was called or when all answers were on their way."""
        for call in worker.calls if after_effects else ():
            self.happened[call.idempotency_key] += 1
        worker.calls = []

    def reap(self) -> None:
        """Take the execution from a holder whose lease is over; the third time it is poison."""
        assert self.lease_until is not None
        assert self.lease_until <= self.now
        self.crash_count += 1
        if self.crash_count >= MOST_CRASHES:
            self._end_poisoned()
            return
        for record in records_after_crash(self.plan, self.load(), self.pending, now=self.now):
            self._write(record)
        self.fence += 1
        self.pending, self.lease_until = [], None
        self._go("PENDING")

    def _end_poisoned(self) -> None:
        for record in close_open_steps(self.load(), now=self.now):
            self._write(record)
        self.fence += 1
        self.pending, self.lease_until = [], None
        self._go("FAILED")

    def retry(self, run_id: UUID) -> Store:
        """Begin a new execution of a finished one, from its start, in the same world."""
        assert self.is_final
        return Store(plan=self.plan, now=self.now, run_id=run_id)

    def cancel(self) -> None:
        self.cancel_requested = True
        if self.status in ("WAITING", "PAUSED"):
            self._go("PENDING")

    def settle(self, verdict: Verdict) -> None:
        """Let a person decide about the step that is UNCERTAIN."""
        row = self.open_row("UNCERTAIN")
        assert row is not None
        state = self.load()
        self._write(settle(self.plan, state, (row.step_id, row.item), verdict, now=self.now))
        if self.status == "WAITING":
            self._go("PENDING")

    def pause(self) -> None:
        self._go("PAUSED")

    def resume(self) -> None:
        self._go("PENDING")

    def check(self) -> None:
        """Assert what must hold after every event, whatever happened before."""
        for key, wanted in self.keys.items():
            step_id = wanted[0]
            delivery = self._delivery(step_id)
            if delivery is Delivery.AT_MOST_ONCE:
                assert self.happened[key] <= 1, f"{step_id} happened twice under one key"
            same = [k for k, place in self.keys.items() if place == wanted]
            assert same == [key], f"{step_id} has several keys"
        if self.is_final:
            assert all(row.status in STEP_FINAL for row in self.rows.values())
            assert not self.pending
        elif self.status == "RUNNING":
            assert self.lease_until is not None
            assert self.pending
        elif self.status == "WAITING":
            moves = self.due_at or self.open_row("UNCERTAIN") or self.waiting()
            assert moves, "nothing will ever move this run"

    def _segment(self, worker: Worker, records: list[StepRecord]) -> bool:
        progress = self._run(worker, records)
        if worker.fence != self.fence or self.is_final:
            worker.calls = []
            return False
        for record in records:
            self._write(record)
        self.crash_count = 0 if records else self.crash_count
        worker.calls += progress.calls
        self.pending = [(call.step_id, call.item, call.attempt) for call in worker.calls]
        for call in progress.calls:
            again = worker.state.latest.get((call.step_id, call.item))
            place = (call.step_id, call.item, again.again if again else 0)
            assert self.keys.setdefault(call.idempotency_key, place) == place
        self.due_at = progress.due_at
        if progress.finish:
            assert not worker.calls
            self._go(progress.finish.status)
        elif not worker.calls:
            # An answer that came while the execution was held must not be slept over.
            self._go("PENDING" if self.answers.keys() - worker.state.answers.keys() else "WAITING")
        if self.status != "RUNNING":
            self.lease_until = None
        return True

    def _run(self, worker: Worker, records: list[StepRecord]) -> Progress:
        """Advance until only effects and waits are left: writes of our own are made at once."""
        while True:
            progress = advance(self.plan, worker.state, now=self.now, clock=lambda: self.now)
            records += progress.records
            for key in progress.gather:
                worker.state.gathered(key, self.items_of(key))
            if not progress.applies and not progress.gather and not progress.has_more:
                return progress
            # The calls of this pass are in flight already; keep them for the last one.
            held = progress.calls
            for write in progress.applies:
                record = answer(
                    self.plan,
                    worker.state,
                    write,
                    output={"id": 1},
                    started_at=self.now,
                    ended_at=self.now,
                    now=self.now,
                    random=lambda: 0.5,
                )
                worker.state.fold([record])
                records.append(record)
            rest = self._run(worker, records)
            return replace(rest, calls=held + rest.calls)

    def _write(self, record: StepRecord) -> None:
        key = (record.step_id, record.item, record.attempt)
        before = self.rows.get(key)
        if before is not None:
            assert can_step_go(before.status, record.status), (before.status, record.status)
            if record.kind == "loop":
                # Its list is written once and read back.
                record = replace(record, input=before.input)
        self.rows[key] = record

    def _go(self, status: str) -> None:
        assert can_execution_go(self.status, status), (self.status, status)
        self.status = status

    def _delivery(self, step_id: str) -> Any:
        call = self.plan.by_id[step_id].call
        return call.action.delivery if call else None
