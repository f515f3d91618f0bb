"""Steps that wait to be answered: their rows, and how an answer gets into its run.

Who answers writes the answer into the wait's row and sets the run's timer to now; it never touches
the run itself, which may be at work on another branch. The engine reads answers with the rows
locked, in the commit that records what followed from them, so that an answer and a time limit
decide one after the other. Everybody locks in this order: executions, waits, tasks, timers, each
by id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import orjson

from leadsend.lib.input_guard import clean_text
from leadsend.lib.postgres import Connection
from runtime.engine.state import StepRecord
from runtime.engine.transitions import STEP_FINAL
from runtime.engine.waits import ANSWERED_KINDS
from runtime.storable import to_json

if TYPE_CHECKING:
    from runtime.runs import Run

LONGEST_KEY: Final = 300
_KIND_OF: Final[Mapping[str, str]] = {"event": "event", "reply": "reply", "answer": "task"}
_OUTPUT_KEY: Final[Mapping[str, tuple[str, str]]] = {
    "approval": ("task", "task_id"),
    "workflow": ("execution", "execution_id"),
}


def stored_key(text: str) -> str:
    """Return a correlation key as it is stored and looked up: a long one by its hash."""
    clean = clean_text(text)
    if len(clean) <= LONGEST_KEY:
        return clean
    return f"sha256:{hashlib.sha256(clean.encode()).hexdigest()}"


def take_answers(connection: Connection, runs: Sequence[Run]) -> None:
    """Lock the waits of these locked runs, give them what came, and move them on.

    The waits that the end of one of them would answer are locked along, so that all recordings
    lock in one order. Queries only where a run waits or was called by another.
    """
    waiting = [run for run in runs if run.is_waiting]
    called = [str(run.id) for run in runs if run.claimed.parent_execution is not None]
    if not waiting and not called:
        return
    places = {run.row_id(record): (run, record) for run in waiting for record in run.waits()}
    rows = connection.execute(_LOCK, {"own": [run.id for run in waiting], "called": called})
    for wait_id, answer in rows.fetchall():
        if answer is not None and wait_id in places:
            run, record = places[wait_id]
            run.state.answers[record.step_id, record.item] = orjson.loads(answer)
    for run in waiting:
        run.advance()


def write(connection: Connection, runs: Sequence[Run]) -> list[UUID]:
    """Write the waits that began, and remove those that ended, of recorded runs.

    Returns the executions that were answered already: their timer has to be set by ``wake``.
    What an ended step has left behind is seen to: its open task is closed, and the run that it
    called is noted to be cancelled.
    """
    begun: list[tuple[Any, ...]] = []
    ended: list[UUID] = []
    tasks: list[UUID] = []
    for run in runs:
        if not run.compiled.plan.has_waits:
            continue
        # A record that came later in the same commit replaces an earlier one of the same attempt.
        kinds = [record for record in run.unsaved if record.kind in ANSWERED_KINDS]
        for row_id, record in {run.row_id(record): record for record in kinds}.items():
            if record.status == "WAITING":
                begun.append(_row(run, row_id, record))
            elif record.status in STEP_FINAL:
                ended.append(row_id)
                begun += _left_behind(run, row_id, record)
                tasks += _task_of(record)
    if ended:
        connection.execute(_DELETE, [ended])
    if tasks:
        connection.execute(_CLOSE_TASKS, [sorted(tasks)])
    if not begun:
        return []
    columns = [list(column) for column in zip(*sorted(begun), strict=True)]
    connection.execute(_INSERT, columns)
    return _answered_already(connection, [row for row in begun if row[4] == "task"])


def answer(
    connection: Connection, kind: str, answers: Mapping[str, Any], *, project_id: UUID | None = None
) -> int:
    """Answer the open waits of a kind by their keys, and wake their runs; return how many.

    ``answers`` gives JSON by key. 0 where nobody waits, or somebody else was first. The caller's
    transaction commits it. Waits for events are answered by ``answer_events``.
    """
    if not answers:
        return 0
    given = {
        "kind": kind,
        "project": project_id,
        "keys": [stored_key(key) for key in answers],
        "answers": [to_json(value) or "null" for value in answers.values()],
    }
    return wake(connection, [row[0] for row in connection.execute(_ANSWER, given).fetchall()])


def matches_for(
    connection: Connection, topics: Sequence[tuple[UUID, str]]
) -> list[tuple[UUID, str, str]]:
    """Return project, topic and match of the open waits for events of these topics, each once.

    One step through the index for each, however many runs wait.
    """
    columns = [list(column) for column in zip(*topics, strict=True)]
    return connection.execute(_MATCHES, columns).fetchall()


def answer_events(
    connection: Connection, rows: Sequence[tuple[UUID, str, str, str, UUID, str]]
) -> list[UUID]:
    """Answer the waits for events, and wake their runs; return the event's id for each.

    ``rows`` are ``(project, topic, match, key, event id, answer as JSON text)``; of two that answer
    the same wait the earlier one counts. The caller's transaction commits it.
    """
    first: dict[tuple[UUID, str, str, str], tuple[UUID, str]] = {}
    for project, topic, match, key, event_id, said in rows:
        first.setdefault((project, topic, match, stored_key(key)), (event_id, said))
    if not first:
        return []
    flat = [(*place, *said) for place, said in first.items()]
    columns = [list(column) for column in zip(*flat, strict=True)]
    found = connection.execute(_ANSWER_EVENTS, columns).fetchall()
    wake(connection, [row[0] for row in found])
    return [row[1] for row in found]


def answer_of_task(given: Any, *, task_id: UUID, by: str | None = None) -> dict[str, Any]:
    """Return what a completed task answers: ``{"answer", "comment", "fields", "by", "task_id"}``.

    ``given`` is what the person answered: such an object, or any other JSON.
    """
    said: Mapping[str, Any] = given if isinstance(given, Mapping) else {"answer": given}
    return {
        "answer": said.get("answer", None if "fields" in said else dict(said)),
        "comment": str(said.get("comment") or ""),
        "fields": said.get("fields") or {},
        "by": by,
        "task_id": str(task_id),
    }


def lock_waits_for(connection: Connection, kind: str, key: str) -> None:
    """Lock the waits for one thing before the thing itself is locked, as the order wants it."""
    connection.execute(_LOCK_BY_KEY, [kind, key])


def wake(connection: Connection, execution_ids: Iterable[UUID]) -> int:
    """Set the timers of executions to now; return how many waits that stands for."""
    found = list(execution_ids)
    if found:
        connection.execute(_WAKE, [sorted(set(found))])
    return len(found)


def end_waits(connection: Connection, execution_id: UUID) -> None:
    """Remove the waits of a locked execution that is ended from outside, as ``write`` does."""
    rows = connection.execute(_LOCK, {"own": [execution_id], "called": [str(execution_id)]})
    if not rows.fetchall():
        return
    connection.execute(_NOTE_CALLED, [execution_id])
    gone = connection.execute(_DELETE_OF, [execution_id]).fetchall()
    tasks = [UUID(key) for kind, step_kind, key in gone if kind == "task" and step_kind]
    if tasks:
        connection.execute(_CLOSE_TASKS, [sorted(tasks)])


def _row(run: Run, row_id: UUID, record: StepRecord) -> tuple[Any, ...]:
    asked: Mapping[str, Any] = record.input or {}
    kind, key = _KIND_OF.get(str(asked.get("for")), "event"), str(asked.get("key", ""))
    if record.kind in _OUTPUT_KEY:
        kind, name = _OUTPUT_KEY[record.kind]
        key = str((record.output or {}).get(name))
    topic, match = str(asked.get("topic", "")), str(asked.get("match", ""))
    if kind != "event":
        topic, match = record.kind, ""
    return (
        row_id,
        run.claimed.project_id,
        run.id,
        record.step_id,
        kind,
        clean_text(topic)[:200],
        clean_text(match)[:300],
        stored_key(key),
    )


def _left_behind(run: Run, row_id: UUID, record: StepRecord) -> list[tuple[Any, ...]]:
    """Return the note that a called run, of which no end was heard, has to be cancelled."""
    called = (record.output or {}).get("execution_id") if record.kind == "workflow" else None
    if called is None or record.status == "SUCCESS" or run.was_answered(record):
        return []
    run.left_called = True
    return [(row_id, run.claimed.project_id, run.id, record.step_id, "cancel", "", "", str(called))]


def _task_of(record: StepRecord) -> list[UUID]:
    made = (record.output or {}).get("task_id") if record.kind == "approval" else None
    return [UUID(str(made))] if made else []


def _answered_already(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> list[UUID]:
    """Answer the waits for tasks that are closed already; their rows are locked until the commit.

    Whoever closes one later looks for waits after locking it, and so finds these.
    """
    keys = [row[7] for row in rows]
    if not keys:
        return []
    answers = {
        str(task_id): {"cancelled": True}
        if status == "CANCELLED"
        else answer_of_task(orjson.loads(said or "null"), task_id=task_id, by=by)
        for task_id, status, said, by in connection.execute(_CLOSED, [keys]).fetchall()
        if status != "PENDING"
    }
    if not answers:
        return []
    given = {
        "kind": "task",
        "project": None,
        "keys": list(answers),
        "answers": [to_json(value) for value in answers.values()],
    }
    return [row[0] for row in connection.execute(_ANSWER, given).fetchall()]


_LOCK: Final = """
SELECT id, CASE WHEN answered_at IS NOT NULL THEN coalesce(answer, 'null'::jsonb)::text END
  FROM execution_wait WHERE id IN (
    SELECT id FROM execution_wait WHERE execution_id = ANY(%(own)s) AND kind <> 'cancel'
    UNION ALL
    SELECT id FROM execution_wait
     WHERE kind = 'execution' AND key = ANY(%(called)s) AND answered_at IS NULL)
 ORDER BY id FOR UPDATE
"""
_LOCK_BY_KEY: Final = """
SELECT id FROM execution_wait WHERE kind = %s AND key = %s AND answered_at IS NULL AND kind <> 'event'
 ORDER BY id FOR UPDATE
"""
# A commit that is made again finds the row there, perhaps answered: that stays.
_INSERT: Final = """
INSERT INTO execution_wait (id, project_id, execution_id, step_id, kind, topic, match, key)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[],
  %s::text[], %s::text[])
ON CONFLICT (id) DO NOTHING
"""
_DELETE: Final = "DELETE FROM execution_wait WHERE id = ANY(%s) AND kind <> 'cancel'"
_DELETE_OF: Final = """
DELETE FROM execution_wait WHERE execution_id = %s AND kind <> 'cancel'
RETURNING kind, topic = 'approval', key
"""
_NOTE_CALLED: Final = """
UPDATE execution_wait SET kind = 'cancel'
 WHERE execution_id = %s AND kind = 'execution' AND answered_at IS NULL
"""
_CLOSE_TASKS: Final = """
UPDATE tasks SET status = 'CANCELLED', updated_at = statement_timestamp()
 WHERE status = 'PENDING' AND id IN (SELECT id FROM tasks WHERE id = ANY(%s) ORDER BY id FOR UPDATE)
"""
_ANSWER: Final = """
WITH hit AS (
  SELECT w.id, v.answer FROM execution_wait w
    JOIN unnest(%(keys)s::text[], %(answers)s::jsonb[]) AS v(key, answer) ON w.key = v.key
   WHERE w.kind = %(kind)s AND w.kind <> 'event' AND w.key = ANY(%(keys)s)
     AND w.answered_at IS NULL AND (%(project)s::uuid IS NULL OR w.project_id = %(project)s)
   ORDER BY w.id FOR UPDATE OF w
)
UPDATE execution_wait w SET answer = hit.answer, answered_at = statement_timestamp()
  FROM hit WHERE w.id = hit.id
RETURNING w.execution_id
"""
_MATCHES: Final = """
SELECT t.project, t.topic, m.match
  FROM unnest(%s::uuid[], %s::text[]) AS t(project, topic) CROSS JOIN LATERAL (
    WITH RECURSIVE found AS (
      (SELECT w.match FROM execution_wait w
        WHERE w.project_id = t.project AND w.topic = t.topic AND w.kind = 'event'
          AND w.answered_at IS NULL ORDER BY w.match LIMIT 1)
      UNION ALL
      SELECT (SELECT w.match FROM execution_wait w
               WHERE w.project_id = t.project AND w.topic = t.topic AND w.kind = 'event'
                 AND w.answered_at IS NULL AND w.match > found.match ORDER BY w.match LIMIT 1)
        FROM found WHERE found.match IS NOT NULL
    )
    SELECT match FROM found WHERE match IS NOT NULL) AS m
"""
_ANSWER_EVENTS: Final = """
WITH hit AS (
  SELECT w.id, v.event, v.answer
    FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::uuid[], %s::jsonb[])
      AS v(project, topic, match, key, event, answer)
    JOIN execution_wait w ON w.project_id = v.project AND w.topic = v.topic AND w.match = v.match
     AND w.key = v.key
   WHERE w.kind = 'event' AND w.answered_at IS NULL
   ORDER BY w.id FOR UPDATE OF w
)
UPDATE execution_wait w SET answer = hit.answer, answered_at = statement_timestamp()
  FROM hit WHERE w.id = hit.id
RETURNING w.execution_id, hit.event
"""
_WAKE: Final = """
INSERT INTO execution_timer AS t (execution_id, due_at)
SELECT id, statement_timestamp() FROM unnest(%s::uuid[]) AS v(id)
ON CONFLICT (execution_id) DO UPDATE SET due_at = least(t.due_at, EXCLUDED.due_at)
"""
_CLOSED: Final = """
SELECT t.id, t.status, t.answer::text, u.email
  FROM tasks t LEFT JOIN access_user u ON u.id = t.completed_by_id
 WHERE t.id IN (SELECT x::uuid FROM unnest(%s::text[]) AS x
                 WHERE x ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$')
 ORDER BY t.id FOR UPDATE OF t
"""
