"""One claimed execution in this process's memory, between its claim and its last commit."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from leadsend.lib.errors import LeadSendError
from leadsend.lib.ids import step_row_id
from leadsend.lib.redaction import forgetting_secrets, register_secrets
from runtime.claiming import Claimed
from runtime.engine.advance import advance, answer
from runtime.engine.commands import ApplyWrite, CallEffect, Finish
from runtime.engine.decide import TIMED_OUT
from runtime.engine.outcomes import Place, close_open_steps, record_late, records_after_crash
from runtime.engine.postponing import postponed
from runtime.engine.progress import MOST_IN_ONE_PASS
from runtime.engine.state import RunState, StepKey, StepRecord, is_in_reserve
from runtime.engine.transitions import STEP_FINAL
from runtime.engine.waits import ANSWERED_KINDS
from runtime.gates import Closed
from runtime.plans import Compiled
from runtime.storable import to_json

MOST_CRASHES: Final = 3
CANCEL_PATIENCE: Final = timedelta(seconds=30)
_POISON: Final = {
    "code": "poison",
    "message": "The process that ran this died three times, so it is not tried again. "
    "The event is kept: replay it once the cause is found.",
    "step_id": None,
}
_NEVER: Final = 2**40  # Unix seconds, of an intent without a limit
Command = CallEffect | ApplyWrite


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRow:
    """A mail that was sent or is to be kept, written with the record of its step."""

    step_id: str
    mode: str
    message_id: str
    sender: str
    to: str
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one effect. ``begun`` is False when the lease was too old to begin it.

    ``closed`` is the gate that kept it from beginning: it is made later.
    """

    run: Run
    call: CallEffect
    started_at: datetime
    ended_at: datetime
    output: Any = None
    error: LeadSendError | None = None
    mails: tuple[MailRow, ...] = ()
    begun: bool = True
    closed: Closed | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class Run:
    """What is known, what is not yet recorded, and what is under way.

    ``unsaved`` are the records since the last commit. ``asked`` are effects whose intent is not
    committed yet or which could not begin, ``under_way`` those that were handed to the effect loop,
    ``limits`` until when (Unix seconds).
    ``open_rows`` are the step rows in the database that are not final and may be written again.
    ``batch`` is the trace that stands for the execution while it has no row (``batches``).
    ``state_bytes`` is no less than the JSON that expressions can see, and grows by ``grown_bytes``
    with this commit, unless it ``is_weighed`` exactly; ``large_bytes`` came from the object storage.
    ``has_more`` says that a loop was interrupted: the next pass goes on. ``gather`` names loops that
    need what earlier claims wrote of their items. ``counted`` are steps and attempts as the rows
    tell them, where memory does not.
    """

    claimed: Claimed
    compiled: Compiled
    state: RunState
    clock: Callable[[], datetime]
    secrets: tuple[str, ...] = ()
    unsaved: list[StepRecord] = field(default_factory=list)
    asked: list[CallEffect] = field(default_factory=list)
    writes: list[ApplyWrite] = field(default_factory=list)
    under_way: dict[StepKey, CallEffect] = field(default_factory=dict)
    limits: dict[StepKey, int] = field(default_factory=dict)
    mails: list[MailRow] = field(default_factory=list)
    open_rows: set[UUID] = field(default_factory=set)
    due_at: datetime | None = None
    retry_at: datetime | None = None
    finish: Finish | None = None
    has_more: bool = False
    gather: tuple[StepKey, ...] = ()
    counted: tuple[int, int] | None = None
    business_key: str = ""
    batch: UUID | None = None
    leased_at: float = 0.0
    is_tried_again: bool = False
    is_pausing: bool = False
    has_dropped: bool = False
    state_bytes: int = 0
    grown_bytes: int = 0
    large_bytes: int = 0
    is_weighed: bool = False
    storage_tries: int = 0
    was_recorded: bool = False
    left_called: bool = False
    cancelled_at: datetime | None = None

    @property
    def id(self) -> UUID:
        """The execution."""
        return self.claimed.id

    @property
    def is_waiting(self) -> bool:
        """Say whether a step of it may have been answered since it was recorded."""
        return self.compiled.plan.has_waits and bool(self.waits())

    def waits(self) -> list[StepRecord]:
        """Return the steps that wait to be answered."""
        return [
            record
            for record in self.state.latest.values()
            if record.status == "WAITING" and record.kind in ANSWERED_KINDS
        ]

    def was_answered(self, record: StepRecord) -> bool:
        """Say whether a step of the kinds that wait was ended by an answer, in this commit."""
        return (record.step_id, record.item) in self.state.answers

    def load(self, records: Iterable[StepRecord]) -> None:
        """Take in the rows of earlier claims, and what a crash left behind."""
        rows = list(records)
        if rows:
            self.state_bytes += len(to_json([row.output for row in rows]) or "")
        self.state.fold(row for row in rows if not is_in_reserve(row))
        self.state.reserve = {(r.step_id, r.item): r for r in rows if is_in_reserve(r)}
        self.open_rows = {self.row_id(row) for row in rows if row.status not in STEP_FINAL}
        if self.claimed.pending:
            self._take(self._left_behind())

    def _left_behind(self) -> list[StepRecord]:
        """Return what becomes of the effects that a lost process had under way."""
        plan, now = self.compiled.plan, self.clock()
        known = [intent for intent in self.claimed.pending if intent["step"] in plan.by_id]
        late = [intent for intent in known if intent.get("until", _NEVER) <= now.timestamp()]
        soon = [_place(intent) for intent in known if intent not in late]
        return [
            *(
                record_late(plan, self.state, _place(one), now=now, random=random.random)
                for one in late
            ),
            *records_after_crash(plan, self.state, soon, now=now),
        ]

    def row_id(self, record: StepRecord) -> UUID:
        """Return the id that the record's row always has."""
        return step_row_id(self.id, record.step_id, record.item, record.attempt)

    def advance(self) -> None:
        """Do what can be done in memory; ``asked``, ``writes``, ``due_at``, ``finish`` follow."""
        if self.finish is None:
            self.finish = self._verdict_from_outside()
        if self.finish is not None:
            return
        with self.hiding_secrets():
            progress = advance(
                self.compiled.plan,
                self.state,
                now=self.claimed.claimed_at,
                clock=self.clock,
                budget=MOST_IN_ONE_PASS - len(self.unsaved),
                due_by=self.clock() if self.retry_at is not None else None,
            )
        self.unsaved += progress.records
        self.asked += progress.calls
        self.writes += progress.applies
        self.due_at, self.retry_at = progress.due_at, progress.retry_at
        self.finish = progress.finish
        self.gather = progress.gather
        self.has_more = progress.has_more or bool(progress.gather)

    def answer(
        self,
        command: Command,
        *,
        started_at: datetime,
        output: Any = None,
        error: LeadSendError | None = None,
    ) -> None:
        """Take in what came of an effect or a write."""
        now = self.clock()
        record = answer(
            self.compiled.plan,
            self.state,
            command,
            output=output,
            error=error,
            started_at=started_at,
            ended_at=now,
            now=now,
            random=random.random,
        )
        self.under_way.pop((command.step_id, command.item), None)
        self._take([record])

    def postpone(self, call: CallEffect, closed: Closed) -> None:
        """Take in that an effect could not begin: the same attempt is made later."""
        now = self.clock()
        due_at = now + timedelta(seconds=closed.wait_s)
        reason = {"code": closed.code, "message": closed.message}
        record = postponed(self.compiled.plan, self.state, call, due_at=due_at, reason=reason)
        self.under_way.pop((call.step_id, call.item), None)
        self._take([record])

    def cancel(self) -> None:
        """Begin nothing more; the run ends as CANCELLED once nothing is under way."""
        self.state.cancel_requested = True
        self.cancelled_at = self.cancelled_at or self.clock()
        self.drop_asked()
        self.advance()

    def is_over_time(self) -> bool:
        """Say whether the run has been at work for longer than it may."""
        return self.clock() >= self.claimed.deadline_at

    def is_to_be_cut_off(self) -> bool:
        """Say whether what is under way has had its time: the run's limit, or 30 s after a cancel."""
        if not self.under_way:
            return False
        waited = self.clock() - self.cancelled_at if self.cancelled_at else timedelta()
        if waited > CANCEL_PATIENCE:
            return True
        # Undoing has no limit of its own but those of its steps.
        return self.is_over_time() and not self._is_undoing()

    def _is_undoing(self) -> bool:
        plan = self.compiled.plan
        return bool(plan.undo) and any(key[0] in plan.undo_ids for key in self.under_way)

    def has_due_retry(self) -> bool:
        """Say whether an effect may be tried again while another one is still under way."""
        return self.retry_at is not None and bool(self.under_way) and self.retry_at <= self.clock()

    def drop_asked(self) -> None:
        """Forget effects and writes that were not begun; a later pass asks for them again."""
        self.has_dropped = self.has_dropped or bool(self.asked or self.writes) or self.has_more
        self.has_more = False
        commands: list[Command] = [*self.asked, *self.writes]
        for command in commands:
            self.state.in_flight.discard((command.step_id, command.item))
        self.asked, self.writes = [], []

    def put_off_writes(self) -> None:
        """Leave the writes that were not made to the next commit."""
        for write in self.writes:
            self.state.in_flight.discard((write.step_id, write.item))
        self.writes, self.has_more = [], True

    def snapshot(self) -> tuple[Any, ...]:
        """Return what a failed commit must be able to go back to."""
        return (
            dict(self.state.latest),
            set(self.state.in_flight),
            list(self.unsaved),
            list(self.asked),
            list(self.writes),
            self.due_at,
            self.finish,
            dict(self.state.answers),
            (self.state.steps_inside, self.state.attempts_inside),
            dict(self.state.reserve),
        )

    def restore(self, before: tuple[Any, ...]) -> None:
        """Go back to a snapshot; what was made inside the failed commit is undone by it."""
        self.state.latest, self.state.in_flight = before[0], before[1]
        self.unsaved, self.asked, self.writes = before[2], before[3], before[4]
        self.due_at, self.finish = before[5], before[6]
        self.state.answers = before[7]
        self.state.steps_inside, self.state.attempts_inside = before[8]
        self.state.reserve = before[9]

    def recorded(self) -> None:
        """Note that everything so far is committed."""
        for record in self.unsaved:
            if record.status not in STEP_FINAL:
                self.open_rows.add(self.row_id(record))
            elif self.open_rows:  # computing an id costs more than all else here
                self.open_rows.discard(self.row_id(record))
        self.unsaved, self.mails = [], []
        self.state.answers.clear()
        self.left_called = False
        self.is_tried_again, self.was_recorded, self.batch = False, True, None
        self.state_bytes += self.grown_bytes
        self.grown_bytes, self.storage_tries, self.is_weighed = 0, 0, False

    @contextmanager
    def hiding_secrets(self) -> Iterator[None]:
        """Hide the run's secret variables from logs and errors inside."""
        if not self.secrets:
            yield
            return
        with forgetting_secrets():
            register_secrets(self.secrets)
            yield

    def intents(self) -> list[dict[str, Any]]:
        """Return what stands in ``pending``: every effect that may be under way after the commit.

        ``until`` is when its time is over, in Unix seconds: the reaper heeds it whoever lives.
        """
        undo_ids = self.compiled.plan.undo_ids if self.compiled.plan.undo else ()
        for call in self.asked:
            limit = self.clock().timestamp() + call.timeout_s
            self.limits[call.step_id, call.item] = math.ceil(limit)
        return [
            {
                "step": call.step_id,
                "item": call.item,
                "attempt": call.attempt,
                "until": self.limits.get((call.step_id, call.item), _NEVER),
                **undoing,
            }
            for call in (*self.under_way.values(), *self.asked)
            for undoing in ({"undo": True} if call.step_id in undo_ids else {},)
        ]

    def run_ms(self, now: datetime | None = None) -> int:
        """Return the milliseconds at work, those of earlier claims counted in."""
        spent = (now or self.clock()) - self.claimed.now
        return self.claimed.run_ms + max(0, int(spent.total_seconds() * 1000))

    def metrics(self, now: datetime | None = None) -> dict[str, int]:
        """Return steps, attempts, wait_ms and run_ms so far."""
        now = now or self.clock()
        ran = [record for record in self.state.latest.values() if record.status != "SKIPPED"]
        total_ms = int((now - self.claimed.started_at).total_seconds() * 1000)
        run_ms = self.run_ms(now)
        steps, attempts = self.counted or (
            len(ran) + self.state.steps_inside,
            sum(record.attempt for record in ran) + self.state.attempts_inside,
        )
        return {
            "steps": steps,
            "attempts": attempts,
            "wait_ms": max(0, total_ms - run_ms),
            "run_ms": run_ms,
        }

    def scope(self) -> Mapping[str, Any]:
        """Return what the expression of the business key sees."""
        run = self.state.run
        variables = {**self.compiled.plan.variables, **run.variables}
        return {"event": run.event, "request": run.request, "vars": variables, "steps": {}}

    def _take(self, records: list[StepRecord]) -> None:
        self.state.fold(records)
        self.unsaved += records

    def _verdict_from_outside(self) -> Finish | None:
        if self.compiled.error is not None:
            error = self.compiled.error
            return self._ending(
                Finish(
                    status="FAILED",
                    error={"code": error.code, "message": error.message, "step_id": None},
                )
            )
        if self.claimed.crash_count >= MOST_CRASHES:
            return self._ending(Finish(status="FAILED", error=_POISON))
        if self.is_over_time() and not self.under_way:
            return self._out_of_time()
        return None

    def _out_of_time(self) -> Finish | None:
        """End, unless there are steps that may have to be undone: then nothing else may start."""
        if not self.compiled.plan.undo:
            return self._ending(TIMED_OUT)
        if not self.state.timed_out:
            self.state.timed_out = True
            self.drop_asked()
        return None

    def _ending(self, finish: Finish) -> Finish:
        self.drop_asked()
        self._take(close_open_steps(self.state, now=self.clock()))
        return finish


def _place(intent: Mapping[str, Any]) -> Place:
    return intent["step"], intent.get("item"), intent["attempt"]
