"""The one commit that writes what became of many executions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from leadsend.lib.ids import uuid7
from leadsend.lib.input_guard import clean_text
from leadsend.lib.payloads import Oversized
from leadsend.lib.postgres import Connection
from runtime import births, failure_handlers, step_rows, waits
from runtime.claiming import Claimed
from runtime.hiding import hidden
from runtime.placing import placed_json
from runtime.runs import Run
from runtime.storable import payload_json, to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What people asked for while a process held the execution."""

    cancel: bool
    pause: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What one commit said of an execution, for those who show it live."""

    execution_id: UUID
    workflow_id: UUID
    project_id: UUID
    status: str
    step_ids: tuple[str, ...]
    is_started: bool


def lock(connection: Connection, runs: Iterable[Run]) -> dict[UUID, Flags]:
    """Lock those executions that this process still holds; return what was asked of each.

    One that is missing in the answer was handed on: nothing of it may be written. Always in the
    order of ids, so that two recordings cannot wait for each other.
    """
    fences = {run.id: run.claimed.fence for run in runs}
    if not fences:
        return {}
    rows = connection.execute(_LOCK, [list(fences)]).fetchall()
    return {row[0]: Flags(cancel=row[2], pause=row[3]) for row in rows if fences[row[0]] == row[1]}


def record(
    connection: Connection, runs: Sequence[Run], *, lease_s: float, releasing: bool = False
) -> list[Recorded]:
    """Write locked executions, their steps, mails and timers; the caller commits.

    ``releasing`` gives back what is not finished and waits for nothing, for the next process.
    """
    said = [(run, _status(run, releasing=releasing)) for run in runs]
    step_rows.write(connection, runs)
    step_rows.count(connection, runs)
    known = [(run, status) for run, status in said if run.batch is None]
    if known:
        connection.execute(_UPDATE, _columns(known, lease_s))
    births.write(connection, said, lease_s=lease_s)
    _write_mails(connection, [run for run in runs if run.mails])
    answered = waits.write(connection, runs)
    _write_timers(connection, said)
    waits.wake(connection, answered)
    waits.answer(connection, "execution", _ends(said))
    if failed := [run.id for run, status in said if status in failure_handlers.FAILURES]:
        failure_handlers.start_for(connection, failed)
    return [_recorded(run, status) for run, status in said]


def hand_back(connection: Connection, claimed: Sequence[Claimed], *, is_crash: bool) -> None:
    """Make unrecorded executions pending again, their intents kept for the next holder.

    ``is_crash`` counts it towards the limit of crashes: this process could not deal with them.
    """
    ids, fences = [row.id for row in claimed], [row.fence for row in claimed]
    connection.execute(_HAND_BACK, {"ids": ids, "fences": fences, "crash": int(is_crash)})


def postpone(connection: Connection, claimed: Sequence[Claimed], *, pause_s: float) -> None:
    """Make executions pending again for a later moment: what they need is away. No crash."""
    ids, fences = [row.id for row in claimed], [row.fence for row in claimed]
    connection.execute(_POSTPONE, {"ids": ids, "fences": fences, "pause": pause_s})


def large_values(run: Run) -> list[bytes]:
    """Return the JSON of all that the next commit would write and that no row may hold."""
    values = [value for step in run.unsaved for value in (step.input, step.output)]
    if run.finish is not None:
        values.append(run.finish.output)
    found = []
    for value in values:
        try:
            payload_json(hidden(run, value))
        except Oversized as large:
            found.append(large.data)
    return found


def disown(connection: Connection, *, worker_id: UUID, held: Collection[UUID]) -> int:
    """Make pending again what this process claimed without knowing: the claim's answer was lost.

    Nothing of it was begun, so it is no crash. Returns how many executions that were.
    """
    return connection.execute(_DISOWN, [worker_id, list(held)]).rowcount


def _status(run: Run, *, releasing: bool) -> str:
    if run.finish is not None:
        return run.finish.status
    if run.under_way or run.asked:
        return "RUNNING"
    if run.is_pausing:
        return "PAUSED"
    if run.has_more and not releasing:
        return "RUNNING"
    if run.due_at is not None and run.due_at > run.clock():
        return "WAITING"
    if run.due_at is not None or releasing or run.has_dropped or run.has_more:
        return "PENDING"
    return "WAITING"


def _columns(said: Sequence[tuple[Run, str]], lease_s: float) -> dict[str, Any]:
    columns: dict[str, list[Any]] = {name: [] for name in _NAMES}
    for run, status in said:
        for name, value in zip(_NAMES, _row(run, status), strict=True):
            columns[name].append(value)
    return {**columns, "lease": lease_s}


_NAMES: Final = (
    "id",
    "fence",
    "status",
    "pending",
    "business_key",
    "error",
    "output",
    "metrics",
    "run_ms",
    "run_after",
    "progress",
)


def _row(run: Run, status: str) -> tuple[Any, ...]:
    finish = run.finish
    return (
        run.id,
        run.claimed.fence,
        status,
        to_json(run.intents()) if status == "RUNNING" else None,
        run.business_key,
        to_json(hidden(run, finish.error)) if finish else None,
        placed_json(hidden(run, finish.output), run) if finish else None,
        to_json(run.metrics()) if finish else None,
        run.run_ms(),
        run.due_at if status == "PENDING" else None,
        bool(run.unsaved),
    )


def _write_mails(connection: Connection, runs: Sequence[Run]) -> None:
    rows = [
        (
            uuid7(),
            run.claimed.project_id,
            run.id,
            mail.step_id,
            mail.mode,
            mail.message_id,
            *(clean_text(part) for part in (mail.sender, mail.to, mail.subject)),
            *(clean_text(part) for part in (mail.text, mail.html)),
        )
        for run in runs
        for mail in run.mails
    ]
    if rows:
        connection.execute(_MAIL, [list(column) for column in zip(*rows, strict=True)])


def _write_timers(connection: Connection, said: Sequence[tuple[Run, str]]) -> None:
    waiting = [run for run, status in said if status == "WAITING" and run.due_at]
    if waiting:
        columns = [[run.id for run in waiting], [run.due_at for run in waiting]]
        connection.execute(_TIMER, columns)
    # A fresh run has a timer only if it was answered while another step of it was at work.
    gone = [
        run.id
        for run, _ in said
        if run not in waiting and (run.compiled.plan.has_waits or not run.claimed.is_fresh)
    ]
    if gone:
        connection.execute("DELETE FROM execution_timer WHERE execution_id = ANY(%s)", [gone])


def _recorded(run: Run, status: str) -> Recorded:
    return Recorded(
        execution_id=run.id,
        workflow_id=run.claimed.workflow_id,
        project_id=run.claimed.project_id,
        status=status,
        step_ids=tuple(dict.fromkeys(step.step_id for step in run.unsaved)),
        is_started=run.claimed.fence == 1 and not run.was_recorded,
    )


def _ends(said: Sequence[tuple[Run, str]]) -> dict[str, Any]:
    """Return, by their id, how those runs ended which another one called."""
    return {
        str(run.id): {
            "execution_id": str(run.id),
            "status": status,
            "output": hidden(run, run.finish.output),
            "error": hidden(run, run.finish.error),
        }
        for run, status in said
        if run.claimed.parent_execution is not None and run.finish is not None
    }


_LOCK: Final = """
SELECT id, fence, cancel_requested_at IS NOT NULL, pause_requested_at IS NOT NULL
  FROM workflow_execution WHERE id = ANY(%s) AND status = 'RUNNING' ORDER BY id FOR UPDATE
"""
_UPDATE: Final = """
UPDATE workflow_execution e SET
  status = v.status,
  pending = v.pending,
  lease_until = CASE WHEN v.status = 'RUNNING'
    THEN statement_timestamp() + make_interval(secs => %(lease)s) END,
  worker_id = CASE WHEN v.status = 'RUNNING' THEN e.worker_id END,
  claimed_at = CASE WHEN v.status IN ('PENDING', 'WAITING', 'PAUSED') THEN NULL
    ELSE e.claimed_at END,
  deadline_at = CASE WHEN v.status IN ('PENDING', 'WAITING', 'PAUSED') THEN NULL
    ELSE e.deadline_at END,
  pause_requested_at = CASE WHEN v.status = 'PAUSED' THEN NULL ELSE e.pause_requested_at END,
  run_after = coalesce(v.run_after, e.run_after),
  crash_count = CASE WHEN v.progress THEN 0 ELSE e.crash_count END,
  business_key = v.business_key,
  error = v.error,
  output = v.output,
  metrics = v.metrics,
  run_ms = CASE WHEN v.status = 'RUNNING' THEN e.run_ms ELSE v.run_ms END,
  ended_at = CASE WHEN v.is_final THEN clock_timestamp() END,
  execution_time = CASE WHEN v.is_final THEN
    (extract(epoch FROM clock_timestamp() - e.started_at) * 1000)::bigint END
FROM (
  SELECT *, status IN ('SUCCESS', 'FAILED', 'CANCELLED', 'TIMED_OUT') AS is_final
    FROM unnest(%(id)s::uuid[], %(fence)s::bigint[], %(status)s::text[], %(pending)s::jsonb[],
      %(business_key)s::text[], %(error)s::jsonb[], %(output)s::jsonb[], %(metrics)s::jsonb[],
      %(run_ms)s::bigint[], %(run_after)s::timestamptz[], %(progress)s::boolean[])
    AS given(id, fence, status, pending, business_key, error, output, metrics, run_ms, run_after,
      progress)
) AS v
WHERE e.id = v.id AND e.fence = v.fence AND e.status = 'RUNNING' AND e.id = ANY(%(id)s::uuid[])
"""
_HAND_BACK: Final = """
UPDATE workflow_execution e SET
  status = 'PENDING', fence = e.fence + 1, crash_count = e.crash_count + %(crash)s,
  lease_until = NULL, worker_id = NULL
FROM unnest(%(ids)s::uuid[], %(fences)s::bigint[]) AS v(id, fence)
WHERE e.id = v.id AND e.fence = v.fence AND e.status = 'RUNNING' AND e.id = ANY(%(ids)s::uuid[])
"""
_POSTPONE: Final = """
UPDATE workflow_execution e SET
  status = 'PENDING', fence = e.fence + 1, lease_until = NULL, worker_id = NULL,
  run_after = statement_timestamp() + make_interval(secs => %(pause)s)
FROM unnest(%(ids)s::uuid[], %(fences)s::bigint[]) AS v(id, fence)
WHERE e.id = v.id AND e.fence = v.fence AND e.status = 'RUNNING' AND e.id = ANY(%(ids)s::uuid[])
"""
_DISOWN: Final = """
UPDATE workflow_execution
   SET status = 'PENDING', fence = fence + 1, lease_until = NULL, worker_id = NULL
 WHERE worker_id = %s AND status = 'RUNNING' AND NOT (id = ANY(%s))
"""
_MAIL: Final = """
INSERT INTO outbox_mail (id, project_id, execution_id, step_id, mode, message_id, sender, "to",
  subject, text, html, created_at)
SELECT *, statement_timestamp() FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::text[],
  %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
ON CONFLICT (message_id) DO NOTHING
"""
_TIMER: Final = """
INSERT INTO execution_timer (execution_id, due_at)
SELECT * FROM unnest(%s::uuid[], %s::timestamptz[])
ON CONFLICT (execution_id) DO UPDATE SET due_at = EXCLUDED.due_at
"""
