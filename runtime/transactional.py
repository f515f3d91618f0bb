"""Writes of our own that steps ask for, made inside the commit that records the step.

An act is a function ``(connection, place, arguments) -> output``; ``ACTS`` names them. The output
of every task act is ``{"task_id", "title", "status", "assignee", "due_at", "priority"}``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson
import psycopg
from psycopg.types.json import Jsonb

from leadsend.lib.errors import ConfigurationError, LeadSendError, PermanentError
from leadsend.lib.ids import uuid7
from leadsend.lib.input_guard import clean_text
from leadsend.lib.postgres import Connection
from registry.sdk.action import Apply
from runtime import called_runs, task_forms, waits, webhook_answers

log = logging.getLogger(__name__)

_PRIORITIES: Final = frozenset({"low", "normal", "high"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The step that writes. ``effect_key`` is the same for every attempt.

    ``at`` is when the run was claimed; ``depth`` counts the calls above it.
    """

    project_id: UUID
    workflow_id: UUID
    execution_id: UUID
    step_id: str
    business_key: str
    effect_key: UUID | None
    attempt: int = 1
    item: str | None = None
    depth: int = 0
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Assignee:
    user_id: UUID | None = None
    team_id: UUID | None = None


Write = tuple[Place, Apply]


def make_all(connection: Connection, writes: Sequence[Write]) -> list[Any]:
    """Make writes; return for each its output, or the LeadSendError that says why not.

    New tasks of a batch are one statement. Every group, and every write that is made alone, has a
    savepoint, so the transaction around them stays usable. Raises psycopg.OperationalError.
    """
    outcomes: list[Any] = [None] * len(writes)
    alone = list(range(len(writes)))
    new = [at for at in alone if writes[at][1].act == "task.create"]
    if len(new) > 1:
        with suppress(psycopg.DataError, psycopg.IntegrityError), connection.transaction():
            made = _create_all(connection, [writes[at] for at in new])
            for at, outcome in zip(new, made, strict=True):
                outcomes[at] = outcome
            alone = [at for at in alone if at not in set(new)]
    for at in alone:
        outcomes[at] = _make(connection, *writes[at])
    return outcomes


def _make(connection: Connection, place: Place, write: Apply) -> Any:
    """Make one write in a savepoint; return its output or the error."""
    act = ACTS.get(write.act)
    if act is None:
        return ConfigurationError(f"There is no write {write.act!r} here.", code="act_unknown")
    try:
        with connection.transaction():
            return act(connection, place, write.arguments)
    except LeadSendError as error:
        return error
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        return PermanentError(f"The database refused it: {_first_line(error)}")
    except psycopg.OperationalError:
        raise
    except Exception as error:
        log.exception("write failed unforeseen", extra={"execution": str(place.execution_id)})
        return PermanentError(
            f"The write failed in a way its author did not foresee: {error!r}"[:500],
            code="unexpected",
        )


def _create(connection: Connection, place: Place, given: Mapping[str, Any]) -> Any:
    (outcome,) = _create_all(connection, [(place, Apply(act="task.create", arguments=given))])
    if isinstance(outcome, LeadSendError):
        raise outcome
    return outcome


def _create_all(connection: Connection, writes: Sequence[Write]) -> list[Any]:
    known: dict[tuple[UUID, str], _Assignee | LeadSendError] = {}
    prepared = [_new_task(connection, place, write.arguments, known) for place, write in writes]
    rows = [row for row in prepared if isinstance(row, dict)]
    if rows:
        columns = {name: [row[name] for row in rows] for name in _NEW}
        made = {found[0] for found in connection.execute(_INSERT, columns).fetchall()}
    else:
        made = set()
    return [
        _output_of_new(row)
        if not isinstance(row, dict) or row["effect_key"] in made
        # This step made its task before: an answer that was lost. The task stays as it is.
        else _known_output(connection, row)
        for row in prepared
    ]


_NEW: Final = (
    "id",
    "project",
    "title",
    "description",
    "priority",
    "user",
    "team",
    "due_at",
    "workflow",
    "execution",
    "step",
    "business_key",
    "effect_key",
)


def _new_task(
    connection: Connection,
    place: Place,
    given: Mapping[str, Any],
    known: dict[tuple[UUID, str], _Assignee | LeadSendError],
) -> dict[str, Any] | LeadSendError:
    """Return the columns of a task's row, or why it cannot be made; look each assignee up once."""
    who = (place.project_id, str(given.get("assignee") or "").strip())
    try:
        if who not in known:
            known[who] = _find_assignee(connection, *who)
        assignee = known[who]
        if isinstance(assignee, LeadSendError):
            return assignee
        return {
            "id": uuid7(),
            "project": place.project_id,
            "title": clean_text(str(given.get("title") or "Follow up"))[:300],
            "description": clean_text(str(given.get("description") or "")),
            "priority": _priority(given.get("priority")),
            "user": assignee.user_id,
            "team": assignee.team_id,
            "assignee": who[1] or None,
            "due_at": _moment(given.get("due_at")),
            "workflow": place.workflow_id,
            "execution": place.execution_id,
            "step": place.step_id,
            "business_key": place.business_key,
            "effect_key": place.effect_key,
        }
    except LeadSendError as error:
        known.setdefault(who, error)
        return error


def _output_of_new(row: dict[str, Any] | LeadSendError) -> Any:
    if isinstance(row, LeadSendError):
        return row
    due_at = row["due_at"]
    return {
        "task_id": str(row["id"]),
        "title": row["title"],
        "status": "PENDING",
        "assignee": row["assignee"],
        "due_at": due_at.isoformat() if due_at else None,
        "priority": row["priority"],
    }


def _known_output(connection: Connection, row: Mapping[str, Any]) -> dict[str, Any]:
    sql = "SELECT id FROM tasks WHERE effect_key = %s"
    task_id = connection.execute(sql, [row["effect_key"]]).fetchall()[0][0]
    return _output(connection, task_id, row["project"])


def _update(connection: Connection, place: Place, given: Mapping[str, Any]) -> dict[str, Any]:
    task_id = _task_id(connection, place, given)
    changes = dict(given.get("changes") or {})
    if "assignee" in changes:
        _assign(connection, place, task_id, changes.pop("assignee"))
    if "priority" in changes:
        changes["priority"] = _priority(changes["priority"])
    if "due_at" in changes:
        changes["due_at"] = _moment(changes["due_at"])
    values = {name: changes.get(name) for name in ("title", "description", "priority", "due_at")}
    texts = {name: clean_text(value) for name, value in values.items() if isinstance(value, str)}
    connection.execute(_CHANGE, {**values, **texts, "id": task_id})
    return _output(connection, task_id, place.project_id)


def _complete(connection: Connection, place: Place, given: Mapping[str, Any]) -> dict[str, Any]:
    waits.lock_waits_for(connection, "task", str(given.get("task_id")))
    task_id = _task_id(connection, place, given)
    form = connection.execute(_FORM_OF, [task_id]).fetchall()[0][0]
    answer = task_forms.read_answer(orjson.loads(form or "null"), given.get("answer"))
    values = {"id": task_id, "answer": None if answer is None else Jsonb(answer)}
    if connection.execute(_COMPLETE, values).rowcount:
        said = waits.answer_of_task(answer, task_id=task_id)
        waits.answer(connection, "task", {str(task_id): said})
    found = _output(connection, task_id, place.project_id)
    if found["status"] == "CANCELLED":
        raise PermanentError("The task was cancelled, so it cannot be completed.")
    return found


def _reassign(connection: Connection, place: Place, given: Mapping[str, Any]) -> dict[str, Any]:
    task_id = _task_id(connection, place, given)
    _assign(connection, place, task_id, given.get("assignee"))
    return _output(connection, task_id, place.project_id)


def _create_approval(
    connection: Connection, place: Place, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Make the task of an approval; its answers and fields are kept with it."""
    made: dict[str, Any] = _create(connection, place, given)
    form = {"answers": given.get("answers") or [], "fields": given.get("fields") or []}
    connection.execute(_FORM, [Jsonb(form), made["task_id"]])
    return {"task_id": made["task_id"]}


def _respond(connection: Connection, place: Place, given: Mapping[str, Any]) -> dict[str, Any]:
    return webhook_answers.keep(
        connection, execution_id=place.execution_id, project_id=place.project_id, given=given
    )


Act = Callable[[Connection, Place, Mapping[str, Any]], Any]
ACTS: Final[Mapping[str, Act]] = {
    "task.create": _create,
    "task.update": _update,
    "task.complete": _complete,
    "task.reassign": _reassign,
    "approval.create": _create_approval,
    "execution.start": called_runs.start,
    "webhook.respond": _respond,
}


def _find_assignee(connection: Connection, project_id: UUID, name: Any) -> _Assignee:
    wanted = str(name or "").strip()
    if not wanted:
        return _Assignee()
    if "@" in wanted:
        row = connection.execute(_MEMBER, [wanted.lower(), project_id]).fetchone()
        if row is not None:
            return _Assignee(user_id=row[0])
        raise ConfigurationError(
            f"{wanted} is no member of this project: invite them, or choose somebody else.",
            code="assignee_unknown",
        )
    row = connection.execute(_TEAM, [wanted, project_id]).fetchone()
    if row is not None:
        return _Assignee(team_id=row[0])
    raise ConfigurationError(
        f"There is no team {wanted!r} in this project: make it, or choose another.",
        code="assignee_unknown",
    )


def _assign(connection: Connection, place: Place, task_id: UUID, name: Any) -> None:
    assignee = _find_assignee(connection, place.project_id, name)
    connection.execute(_ASSIGN, [assignee.user_id, assignee.team_id, task_id])


def _task_id(connection: Connection, place: Place, given: Mapping[str, Any]) -> UUID:
    """Return the id of the named task, which is locked now. Raises ConfigurationError."""
    missing = ConfigurationError(
        "There is no such task in this project: take it from the step that made it.",
        code="task_unknown",
    )
    try:
        wanted = UUID(str(given.get("task_id") or ""))
    except ValueError as error:
        raise missing from error
    row = connection.execute(_FIND, [wanted, place.project_id]).fetchone()
    if row is None:
        raise missing
    return wanted


def _output(connection: Connection, task_id: UUID, project_id: UUID) -> dict[str, Any]:
    row = connection.execute(_OUTPUT, [task_id, project_id]).fetchall()[0]
    title, status, assignee, due_at, priority = row
    return {
        "task_id": str(task_id),
        "title": title,
        "status": status,
        "assignee": assignee,
        "due_at": due_at.isoformat() if due_at else None,
        "priority": priority,
    }


def _priority(given: Any) -> str:
    priority = str(given or "normal")
    if priority not in _PRIORITIES:
        raise ConfigurationError(f"The priority {priority[:40]!r} is none of low, normal, high.")
    return priority


def _moment(given: Any) -> datetime | None:
    if not given:
        return None
    try:
        moment = datetime.fromisoformat(str(given))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise PermanentError(f"Due holds {str(given)[:40]!r}, which is no date.") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


_INSERT: Final = """
INSERT INTO tasks (id, project_id, title, description, status, priority, assignee_id, team_id,
  due_at, workflow_id, execution_id, step_id, business_key, effect_key, created_at, updated_at)
SELECT v.id, v.project, v.title, v.description, 'PENDING', v.priority, v.person, v.team, v.due_at,
       v.workflow, v.execution, v.step, v.business_key, v.effect_key, statement_timestamp(),
       statement_timestamp()
  FROM unnest(%(id)s::uuid[], %(project)s::uuid[], %(title)s::text[], %(description)s::text[],
    %(priority)s::text[], %(user)s::uuid[], %(team)s::uuid[], %(due_at)s::timestamptz[],
    %(workflow)s::uuid[], %(execution)s::uuid[], %(step)s::text[], %(business_key)s::text[],
    %(effect_key)s::uuid[]) AS v(id, project, title, description, priority, person, team, due_at,
    workflow, execution, step, business_key, effect_key)
ON CONFLICT (effect_key) DO NOTHING RETURNING effect_key
"""
_CHANGE: Final = """
UPDATE tasks SET title = coalesce(%(title)s, title),
  description = coalesce(%(description)s, description),
  priority = coalesce(%(priority)s, priority), due_at = coalesce(%(due_at)s, due_at),
  updated_at = statement_timestamp()
WHERE id = %(id)s
"""
_COMPLETE: Final = """
UPDATE tasks SET status = 'DONE', answer = %(answer)s, completed_at = statement_timestamp(),
  updated_at = statement_timestamp()
WHERE id = %(id)s AND status = 'PENDING'
"""
_ASSIGN: Final = """
UPDATE tasks SET assignee_id = %s, team_id = %s, updated_at = statement_timestamp() WHERE id = %s
"""
_FORM_OF: Final = "SELECT form::text FROM tasks WHERE id = %s"
_FORM: Final = "UPDATE tasks SET form = %s WHERE id = %s"
_FIND: Final = "SELECT id FROM tasks WHERE id = %s AND project_id = %s FOR UPDATE"
_MEMBER: Final = """
SELECT u.id FROM access_user u JOIN membership m ON m.user_id = u.id
 WHERE u.email = %s AND m.project_id = %s AND u.is_active
"""
_TEAM: Final = "SELECT id FROM team WHERE key = %s AND project_id = %s"
_OUTPUT: Final = """
SELECT t.title, t.status, coalesce(u.email, team.key), t.due_at, t.priority
  FROM tasks t LEFT JOIN access_user u ON u.id = t.assignee_id LEFT JOIN team ON team.id = t.team_id
 WHERE t.id = %s AND t.project_id = %s
"""
