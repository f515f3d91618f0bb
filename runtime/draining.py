"""The engine's loop: claim, do in memory what can be done, record it in one commit, call the world.

One pass stands for many executions. What was answered while the last commit ran goes into the next
one. All SQL happens in the thread that calls ``once``; effects run in the thread of EffectLoop.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from uuid import UUID

from leadsend.lib import clock
from leadsend.lib.ids import uuid7
from leadsend.lib.postgres import AWAY, Connection, connect, is_pooled
from registry.catalog import catalog as installed_catalog
from registry.sdk.catalog_view import CatalogView
from runtime import batches, called_runs, claiming, recording
from runtime.batches import Taken
from runtime.beginning import begin
from runtime.calendars import Calendars
from runtime.claiming import Claimed
from runtime.committing import commit
from runtime.effects import EffectLoop
from runtime.failure_handlers import FAILURES
from runtime.fetching import MOST_HELD_BYTES
from runtime.leases import DatabaseClock, Leases
from runtime.plans import Plans
from runtime.quarantine import Quarantine
from runtime.recording import Recorded
from runtime.runs import Answer, Run
from runtime.starts import Terms
from runtime.storing_values import LATE_PAUSE_S, Storing

log = logging.getLogger(__name__)

Act = Callable[[Connection], int]
Take = Callable[[Connection, Terms], Taken]
Tell = Callable[[Sequence[Recorded]], None]
# As many as effects that can be under way: what only waits for its turn would be blamed for, and
# made uncertain by, a crash that it had no part in.
MOST_HELD: Final = 200
_CONNECT: Final = partial(connect, "leadsend engine")
_CONNECT_GATES: Final = partial(connect, "leadsend gates")
# A process that is stopped in the middle of a commit must not keep its rows locked. A pooler has
# a limit of its own for that (docs/scaling.md).
_UNLOCK_AFTER: Final = "SET idle_in_transaction_session_timeout = {}"
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an engine works. ``before_pass`` are acts of the apps above (dispatch); they return how
    many things they moved and commit by themselves. ``take`` begins new executions in memory.
    ``after_commit`` is told what was recorded.
    """

    lease_s: float = 30.0
    before_pass: Sequence[Act] = ()
    take: Take | None = None
    after_commit: Sequence[Tell] = ()
    batch: int = claiming.MOST_AT_ONCE
    most_held: int = MOST_HELD
    poll_s: float = 1.0
    connect: Callable[[], Connection] = _CONNECT
    connect_gates: Callable[[], Connection] = _CONNECT_GATES
    owns_connection: bool = True
    catalog: CatalogView = field(default_factory=installed_catalog)


class Engine:
    """One process's share of the work. ``start``, then ``once`` again and again, then ``stop``."""

    def __init__(self, options: Options, *, worker_id: UUID | None = None) -> None:
        self.options = options
        self.worker_id = worker_id or uuid7()
        self.clock = DatabaseClock()
        self.held: dict[UUID, Run] = {}
        self._plans = Plans(options.catalog)
        self._calendars = Calendars()
        self._connection: Connection | None = None
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._rung = threading.Event()
        self._stopping = threading.Event()
        self._to_record: dict[UUID, Run] = {}
        self._turn = 0
        self._claim_at = 0.0
        self._due_at = float("inf")
        self._quarantine = Quarantine()
        self._storing = Storing()
        self.leases = Leases(
            worker_id=self.worker_id,
            lease_s=options.lease_s,
            connect=options.connect,
            asked=self.ring,
        )
        self._effects = EffectLoop(
            answered=self._answered, may_begin=self._may_begin, connect=options.connect_gates
        )

    def ring(self) -> None:
        """Say that there may be work; from any thread."""
        self.claim_soon()
        self._rung.set()

    def claim_soon(self) -> None:
        """Let the next pass claim, although the last claim found nothing just now."""
        self._claim_at = 0.0

    def stop_claiming(self) -> None:
        """Finish what is held and take nothing new; from any thread or signal handler."""
        self._stopping.set()
        self._rung.set()

    def run(self, *, grace_s: float = 25.0) -> None:
        """Work until ``stop_claiming`` was called and nothing is held, or the grace is used up."""
        pause_s, last_chance = _FIRST_PAUSE_S, None
        while not (self._stopping.is_set() and not self.held):
            if self._stopping.is_set():
                last_chance = last_chance or clock.monotonic() + grace_s
                if clock.monotonic() >= last_chance:
                    break
            try:
                if not self.once():
                    self.wait(self.options.poll_s)
            except AWAY as error:
                log.warning("database away", extra={"error": str(error)[:200]})
            except Exception:
                log.exception("engine pass failed")
            else:
                pause_s = _FIRST_PAUSE_S
                continue
            self._disconnect()
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def once(self) -> bool:
        """Do one pass; return whether anything was done. Raises one of AWAY when the database is."""
        connection = self._connected()
        moved = 0
        if not self._stopping.is_set():
            moved = sum(_done(act, connection) for act in self.options.before_pass)
        claimed = self._claim(connection, is_due=bool(moved))
        taken = self._take_new(connection)
        answered = self._take_answers()
        self._look_after_limits()
        for run in self._storing.due(self.held):
            self._to_record[run.id] = run
        recorded = self._record_all(connection)
        return bool(moved or taken.moved or claimed or answered or recorded)

    def wait(self, timeout_s: float) -> None:
        """Sleep until rung, until an effect answers, until something is due, or for so long."""
        due_in_s = self._due_at - clock.monotonic()
        self._rung.wait(max(0.0, min(timeout_s, due_in_s)))
        self._rung.clear()

    def close(self) -> None:
        """Give back what is still held, its intents kept, and end all threads."""
        self._effects.close()
        self._give_back()
        self.leases.stop()
        self._disconnect()

    def _room(self, connection: Connection) -> int:
        """Return how many more executions this process may take on now."""
        room = min(self.options.batch, self.options.most_held - len(self.held))
        if self._stopping.is_set() or room <= 0:
            return 0
        return room if self._quarantine.may_claim(connection, self.held) else 0

    @property
    def _most_each(self) -> int:
        """Return how many executions of one workflow may be held: some room is for others only."""
        return max(1, self.options.most_held * 3 // 4)

    def _held_of_each(self, room: int) -> Counter[UUID] | None:
        """Count the held executions by workflow; None where none can come to hold too many."""
        if len(self.held) + room <= self._most_each:
            return None
        return Counter(run.claimed.workflow_id for run in self.held.values())

    def _take_new(self, connection: Connection) -> Taken:
        """Let new executions begin in memory, as many as there is room for."""
        if self.options.take is None or self._stopping.is_set() or self._is_alone():
            return Taken()
        since = clock.monotonic()
        room = self._room(connection)
        terms = Terms(
            worker_id=self.worker_id,
            lease_s=self.options.lease_s,
            room=room,
            held=self._held_of_each(room) or {},
            most_each=self._most_each,
        )
        try:
            taken = self.options.take(connection, terms)
        except AWAY:
            raise
        except Exception:
            log.exception("new executions not taken")
            return Taken()
        if taken.has_pending:
            self.claim_soon()
        if taken.batch is not None:
            self._hold(connection, taken.batch.claimed, since=since, batch=taken.batch.id)
        return taken

    def _is_alone(self) -> bool:
        """Say whether one that crashed before was claimed: its pass is for nobody else."""
        return any(run.claimed.crash_count for run in self._to_record.values())

    def _claim(self, connection: Connection, *, is_due: bool) -> int:
        if self._due_at <= clock.monotonic():
            self._due_at, is_due = float("inf"), True
        room = self._room(connection)
        if not room:
            return 0
        if not is_due and clock.monotonic() < self._claim_at:
            return 0
        self._claim_at = clock.monotonic() + self.options.poll_s
        since = clock.monotonic()
        self._turn += 1
        held = self._held_of_each(room)
        claimed = claiming.claim(
            connection,
            worker_id=self.worker_id,
            lease_s=self.options.lease_s,
            limit=room,
            turn=self._turn,
            crashes=self._quarantine.crashes(self.held, is_their_turn=self._turn % 2 == 1),
            room_of=None if held is None else lambda one: self._most_each - held[one],
        )
        if not claimed:
            return 0
        self._quarantine.note(claimed)
        self._claim_at = 0.0
        self._hold(connection, claimed, since=since)
        return len(claimed)

    def _hold(
        self,
        connection: Connection,
        claimed: Sequence[Claimed],
        *,
        since: float,
        batch: UUID | None = None,
    ) -> None:
        self.clock.set(claimed[-1].now)
        begun = begin(
            connection,
            claimed,
            plans=self._plans,
            calendars=self._calendars,
            catalog=self.options.catalog,
            clock=self.clock.now,
            room_bytes=MOST_HELD_BYTES - self._storing.held_bytes(self.held),
        )
        runs = begun.runs
        for run in runs:
            run.batch = batch
            self.held[run.id] = self._to_record[run.id] = run
        self.leases.hold(runs, since=since)
        if begun.broken or begun.late:
            self._write_out(connection, runs, also=batch)
        if begun.broken:
            recording.hand_back(connection, begun.broken, is_crash=True)
        if begun.late:
            recording.postpone(connection, begun.late, pause_s=LATE_PAUSE_S)

    def _write_out(
        self, connection: Connection, runs: Sequence[Run], *, also: UUID | None = None
    ) -> None:
        """Give rows to runs that began in memory, so that each can be dealt with by itself."""
        ids = {run.batch for run in runs if run.batch} | ({also} if also else set())
        if ids:
            lease_s = self.options.lease_s
            batches.write_out(connection, ids, worker_id=self.worker_id, lease_s=lease_s)
        for run in runs:
            run.batch = None

    def _answered(self, answer: Answer) -> None:
        self._answers.put(answer)
        self._rung.set()

    def _may_begin(self, run: Run) -> bool:
        return self.leases.is_sure(run) and not self._stopping.is_set()

    def _take_answers(self) -> int:
        count = 0
        while True:
            try:
                answer = self._answers.get_nowait()
            except queue.Empty:
                return count
            count += 1
            self._take(answer)

    def _take(self, answer: Answer) -> None:
        run = answer.run
        if self.held.get(run.id) is not run:
            return  # It was lost meanwhile; what its effect did is known to the next holder.
        self._to_record[run.id] = run
        if answer.closed is not None:
            run.postpone(answer.call, answer.closed)
            return
        if not answer.begun:
            run.under_way.pop((answer.call.step_id, answer.call.item), None)
            run.asked.append(answer.call)
            return
        run.mails += answer.mails
        run.answer(
            answer.call,
            started_at=answer.started_at,
            output=answer.output,
            error=answer.error,
        )

    def _look_after_limits(self) -> None:
        for run in self.leases.asked_to_stop():
            self._to_record[run.id] = run
        for run in self.held.values():
            if run.is_to_be_cut_off():
                self._effects.cut_off(run)
            if run.has_due_retry():
                self._to_record[run.id] = run

    def _record_all(self, connection: Connection) -> int:
        runs = list(self._to_record.values())
        if not runs:
            return 0
        try:
            self._record(connection, runs)
        except AWAY:
            for run in runs:
                run.is_tried_again = True
            raise
        except Exception:
            log.exception("batch not recorded", extra={"executions": len(runs)})
            self._record_one_by_one(connection, runs)
        return len(runs)

    def _record_one_by_one(self, connection: Connection, runs: list[Run]) -> None:
        """Find out which one a batch failed by: that one is handed back as if it had crashed."""
        self._write_out(connection, runs)
        for run in runs:
            run.is_tried_again = True
            try:
                self._record(connection, [run])
            except AWAY:
                raise
            except Exception:
                log.exception("execution not recorded", extra={"execution": str(run.id)})
                recording.hand_back(connection, [run.claimed], is_crash=True)
                self._forget(run)

    def _record(self, connection: Connection, runs: list[Run]) -> None:
        since = clock.monotonic()
        made = self._storing.commit(
            connection,
            runs,
            partial(commit, lease_s=self.options.lease_s, is_stopping=self._stopping.is_set()),
            write_out=partial(self._write_out, connection),
        )
        has_left = any(run.left_called for run in made.runs)
        for run in made.given_up:
            recording.postpone(connection, [run.claimed], pause_s=LATE_PAUSE_S)
            self._forget(run)
        for run in made.late:
            self._to_record.pop(run.id, None)
        self._committed(made.runs, made.said, since)
        if has_left:
            called_runs.cancel_called(connection)

    def _committed(self, runs: list[Run], said: list[Recorded], since: float) -> None:
        statuses = {one.execution_id: one.status for one in said}
        going_on = []
        for run in runs:
            self._to_record.pop(run.id, None)
            run.recorded()
            status = statuses.get(run.id)
            if status == "RUNNING":
                going_on.append(run)
                continue
            if status in ("PENDING", "WAITING"):
                self._expect(run)
            elif run.claimed.concurrency_key is not None:
                self.claim_soon()  # Its end may have let the next one of its key begin.
            if status is None and not run.is_tried_again:
                log.warning(
                    "lost_lease", extra={"execution": str(run.id), "fence": run.claimed.fence}
                )
            self._forget(run)
        self.leases.hold(going_on, since=since)
        for run in going_on:
            self._begin_calls(run)
            if run.has_more:
                self._to_record[run.id] = run
        if any(one.status in FAILURES for one in said):
            self.claim_soon()  # A handler may have been started by the same commit.
        for tell in self.options.after_commit:
            tell(said)

    def _expect(self, run: Run) -> None:
        """Look again when the run is due, not only at the next poll."""
        if run.due_at is not None:
            due_in_s = (run.due_at - self.clock.now()).total_seconds()
            self._due_at = min(self._due_at, clock.monotonic() + max(0.0, due_in_s))

    def _begin_calls(self, run: Run) -> None:
        if run.retry_at is not None:
            self._expect(run)
        calls, run.asked = run.asked, []
        for call in calls:
            run.under_way[call.step_id, call.item] = call
            self._effects.begin(run, call)

    def _forget(self, run: Run) -> None:
        self.held.pop(run.id, None)
        self._to_record.pop(run.id, None)
        self.leases.let_go(run)

    def _give_back(self) -> None:
        runs = list(self.held.values())
        if not runs:
            return
        unborn = {run.batch for run in runs if run.batch is not None}
        try:
            connection = self._connected()
            batches.give_back(connection, unborn)
            recording.hand_back(connection, [run.claimed for run in runs], is_crash=False)
        except AWAY as error:
            log.warning("leases run out by themselves", extra={"error": str(error)[:200]})
        for run in runs:
            self._forget(run)

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed or self._connection.broken:
            self._connection = self.options.connect()
            if not is_pooled():
                self._connection.execute(_UNLOCK_AFTER.format(int(self.options.lease_s * 1000)))
            recording.disown(self._connection, worker_id=self.worker_id, held=self.held)
            unborn = {run.batch for run in self.held.values() if run.batch is not None}
            batches.disown(self._connection, worker_id=self.worker_id, held=unborn)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None and self.options.owns_connection:
            self._connection.close()
        self._connection = None


def _done(act: Act, connection: Connection) -> int:
    """Do an act of the apps above; one that fails must not keep the claimed work waiting."""
    try:
        return act(connection)
    except AWAY:
        raise
    except Exception:
        log.exception("act before the pass failed")
        return 0


def run_until_idle(engine: Engine, *, most_passes: int = 1000, answer_s: float = 30.0) -> int:
    """Make passes until nothing is claimable and nothing is under way; return their number.

    What waits for a later moment, or for a person, is left waiting. Raises AssertionError when an
    effect does not answer within ``answer_s``.
    """
    for number in range(most_passes):
        engine.claim_soon()
        if engine.once():
            continue
        if not engine.held:
            return number
        before = clock.monotonic()
        engine.wait(answer_s)
        if clock.monotonic() - before >= answer_s:
            raise AssertionError("An effect did not answer.")
    raise AssertionError(f"Still work after {most_passes} passes.")
