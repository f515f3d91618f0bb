"""From what is known of many runs to one commit: what people asked is heeded, writes are made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from leadsend.lib.errors import LeadSendError
from leadsend.lib.postgres import Connection
from registry.sdk.action import Apply
from runtime import batches, recording, transactional, turns, waits
from runtime.engine.commands import ApplyWrite
from runtime.engine.transitions import EXECUTION_FINAL
from runtime.hiding import hidden
from runtime.loading import load_items
from runtime.recording import Flags, Recorded
from runtime.runs import Run
from runtime.signals import execution_finished, execution_started

# Nobody can ask anything of an execution that has no row yet.
_NOTHING: Final = Flags(cancel=False, pause=False)
_MOST_ROUNDS: Final = 50


def commit(
    connection: Connection, runs: list[Run], *, lease_s: float, is_stopping: bool
) -> list[Recorded]:
    """Advance runs and write all that came of it in one commit; return what was written.

    1. Pure steps run in memory, before anything is locked; of runs that may have been answered in
       step 2, with the answers locked.
    2. Concurrency keys are locked, then the rows still held; a run that is missing in the answer
       was handed on. A loop that ends reads what earlier claims wrote of its items.
    3. Cancels and pauses are heeded; writes of our own are made, and their steps go on.
    4. Records, intents, statuses, timers and mails are written; ends pass their turns on.

    When the commit fails, the runs are as they were before step 2, so it can be tried again.
    """
    for run in runs:
        if not run.is_waiting:
            run.advance()
    keyed = [run for run in runs if run.claimed.concurrency_key is not None]
    with _restoring(runs), connection.transaction():
        turns.lock_keys(connection, [_key(run) for run in keyed])
        unborn = _take_traces(connection, runs)
        asked = recording.lock(connection, [run for run in runs if run.batch not in unborn])
        mine = [run for run in runs if run.batch in unborn or (asked and run.id in asked)]
        waits.take_answers(connection, mine)
        for run in mine:
            flags = asked.get(run.id) if asked else None
            _heed(run, flags or _NOTHING, is_stopping=is_stopping)
            if flags is not None:
                run.batch = None  # Its row is there: an earlier try was committed after all.
        _gather(connection, [run for run in mine if run.gather])
        _make_writes(connection, mine, is_stopping=is_stopping)
        said = recording.record(connection, mine, lease_s=lease_s)
        if keyed:
            turns.pass_on(connection, {_key(run) for run in keyed if run.finish is not None})
        _send_signals(connection, said)
    return said


def _take_traces(connection: Connection, runs: list[Run]) -> set[UUID | None]:
    ids = {run.batch for run in runs if run.batch is not None}
    return {*batches.lock(connection, ids)} if ids else set()


def _heed(run: Run, flags: Flags, *, is_stopping: bool) -> None:
    """Begin nothing new where a person, or the stop of this process, asked for that."""
    run.is_pausing = False
    if run.finish is not None:
        return
    if flags.cancel:
        run.cancel()
    elif flags.pause or is_stopping:
        run.is_pausing = flags.pause
        run.drop_asked()


def _make_writes(connection: Connection, runs: list[Run], *, is_stopping: bool) -> None:
    writing = [run for run in runs if run.writes]
    rounds = 0
    while writing:
        rounds += 1
        if rounds > _MOST_ROUNDS:
            # A long loop of writes must neither make a giant commit nor keep others waiting.
            for run in writing:
                run.put_off_writes()
            return
        _write(connection, writing)
        for run in writing:
            run.advance()
            if is_stopping or run.is_pausing:
                run.drop_asked()
        writing = [run for run in writing if run.writes]


def _gather(connection: Connection, runs: list[Run]) -> None:
    for run in runs:
        while run.gather and run.finish is None and not run.is_pausing:
            for key, items in load_items(connection, run.id, run.gather).items():
                run.state.gathered(key, items)
            run.advance()


@contextmanager
def _restoring(runs: list[Run]) -> Iterator[None]:
    """Put runs back to what they were when the commit fails: its writes are undone with it."""
    before: list[tuple[Run, Any]] = [
        (run, run.snapshot()) for run in runs if run.writes or run.is_waiting
    ]
    try:
        yield
    except BaseException:
        for run, known in before:
            run.restore(known)
        raise


def _write(connection: Connection, runs: list[Run]) -> None:
    asked = [(run, write, run.clock()) for run in runs for write in run.writes]
    for run in runs:
        run.writes = []
    writes = [(_place(run, write), _masked(run, write.apply)) for run, write, _ in asked]
    outcomes = transactional.make_all(connection, writes)
    for (run, write, started_at), outcome in zip(asked, outcomes, strict=True):
        if isinstance(outcome, LeadSendError):
            run.answer(write, started_at=started_at, error=outcome)
        else:
            run.answer(write, started_at=started_at, output=outcome)


def _masked(run: Run, write: Apply) -> Apply:
    """Keep secret variables out of what becomes a row: a task's title, the event of a called run."""
    return replace(write, arguments=hidden(run, write.arguments)) if run.secrets else write


def _place(run: Run, write: ApplyWrite) -> transactional.Place:
    return transactional.Place(
        project_id=run.claimed.project_id,
        workflow_id=run.claimed.workflow_id,
        execution_id=run.id,
        step_id=write.step_id,
        business_key=run.business_key,
        effect_key=write.idempotency_key,
        attempt=write.attempt,
        item=write.item,
        depth=run.claimed.depth,
        at=run.claimed.now,
    )


def _key(run: Run) -> turns.Key:
    return run.claimed.workflow_id, run.claimed.concurrency_key or ""


def _send_signals(connection: Connection, said: list[Recorded]) -> None:
    started = [one.execution_id for one in said if one.is_started]
    finished = [one.execution_id for one in said if one.status in EXECUTION_FINAL]
    for signal, ids in ((execution_started, started), (execution_finished, finished)):
        if ids and signal.has_listeners():
            signal.send(sender=Run, execution_ids=ids, connection=connection)
