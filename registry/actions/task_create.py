"""Create task: gives a person or a team something to do, and changes such tasks later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from leadsend.lib.errors import ConfigurationError, PermanentError
from registry.sdk.action import Action, ActionContext, Apply, Delivery

_UNITS_S = {"minutes": 60, "hours": 3600, "days": 86_400, "weeks": 604_800}
_OPERATIONS = {
    "create": "Creates",
    "update": "Changes",
    "complete": "Completes",
    "reassign": "Hands over",
}
_CONFIG: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "operation": {
            "type": "string",
            "title": "What to do",
            "description": "Make a new task, or do something with one made before.",
            "x-ui": "choice",
            "enum": list(_OPERATIONS),
            "x-labels": _OPERATIONS,
            "default": "create",
        },
        "title": {
            "type": "string",
            "title": "Title",
            "description": "What is to be done. Left empty: Follow up, with the contact's name.",
            "x-ui": "text",
            "maxLength": 300,
        },
        "description": {
            "type": "string",
            "title": "Details",
            "description": "What the person needs to know.",
            "x-ui": "textarea",
            "maxLength": 20_000,
        },
        "assignee": {
            "type": "string",
            "title": "For",
            "description": "Who gets the task: a person or a team.",
            "x-ui": "person_or_team",
            "x-options-from": "assignees",
            "x-labels": {"sales_team": "Sales team"},
            "maxLength": 320,
        },
        "due": {
            "title": "Due",
            "description": "When it should be done: after some time, or on a date.",
            "x-ui": "date",
            "anyOf": [
                {
                    "type": "object",
                    "properties": {
                        "value": {"type": "number", "minimum": 0, "maximum": 100_000},
                        "unit": {"type": "string", "enum": list(_UNITS_S)},
                    },
                    "required": ["value", "unit"],
                    "additionalProperties": False,
                },
                {"type": "string"},
            ],
        },
        "priority": {
            "type": "string",
            "title": "Priority",
            "description": "How urgent it is.",
            "x-ui": "choice",
            "enum": ["low", "normal", "high"],
            "x-labels": {"low": "Low", "normal": "Normal", "high": "High"},
            "default": "normal",
        },
        "task_id": {
            "type": "string",
            "title": "Which task",
            "description": "The task to change, from the step that made it. Not for new tasks.",
            "x-ui": "any",
        },
        "answer": {
            "title": "Result",
            "description": "What came of it, kept with the completed task.",
            "x-ui": "any",
        },
    },
    "additionalProperties": False,
}
_OUTPUT: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "task_id": {"type": "string", "title": "Task"},
        "title": {"type": "string", "title": "Title"},
        "status": {"type": "string", "title": "State", "enum": ["PENDING", "DONE", "CANCELLED"]},
        "assignee": {"type": ["string", "null"], "title": "For"},
        "due_at": {"type": ["string", "null"], "title": "Due", "format": "date-time"},
        "priority": {"type": "string", "title": "Priority", "enum": ["low", "normal", "high"]},
    },
    "required": ["task_id", "title", "status"],
    "additionalProperties": True,
}


async def _run(ctx: ActionContext, inputs: Mapping[str, Any]) -> Apply:
    operation = inputs.get("operation") or "create"
    if operation not in _OPERATIONS:
        raise ConfigurationError(f"There is no {operation!r}: choose {', '.join(_OPERATIONS)}.")
    if operation == "create":
        return Apply(act="task.create", arguments=_new_task(ctx, inputs))
    return Apply(act=f"task.{operation}", arguments=_change(ctx, operation, inputs))


def _new_task(ctx: ActionContext, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return title, description, assignee (e-mail or team key or None), due_at (ISO), priority."""
    return {
        "title": _text(inputs, "title")[:300] or default_title(ctx.contact.name),
        "description": _text(inputs, "description"),
        "assignee": _text(inputs, "assignee") or None,
        "due_at": due_at(inputs.get("due"), ctx.now),
        "priority": inputs.get("priority") or "normal",
    }


def _change(ctx: ActionContext, operation: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    task_id = _text(inputs, "task_id")
    if not task_id:
        raise ConfigurationError("Choose which task: the one of an earlier step.")
    if operation == "complete":
        return {"task_id": task_id, "answer": inputs.get("answer")}
    if operation == "reassign":
        if not _text(inputs, "assignee"):
            raise ConfigurationError("Choose who gets the task.")
        return {"task_id": task_id, "assignee": _text(inputs, "assignee")}
    changes = {
        name: _text(inputs, name)
        for name in ("title", "description", "assignee", "priority")
        if _text(inputs, name)
    }
    due = due_at(inputs.get("due"), ctx.now)
    return {"task_id": task_id, "changes": changes | ({"due_at": due} if due else {})}


def default_title(name: str) -> str:
    """Return the title of a task that was given none."""
    return f"Follow up with {name}"[:300] if name else "Follow up"


def due_at(due: Any, now: datetime) -> str | None:
    """Return the ISO moment of ``{"value", "unit"}`` from now, or of a date; None without one.

    A date without a time of day means its end, without an offset UTC. Raises PermanentError.
    """
    if due in (None, ""):
        return None
    if isinstance(due, Mapping):
        return _after(due, now).isoformat()
    try:
        moment = datetime.fromisoformat(str(due))
    except ValueError as error:
        raise PermanentError(f"Due holds {str(due)[:40]!r}, which is no date.") from error
    if len(str(due)) <= len("2026-01-01"):
        moment = moment.replace(hour=23, minute=59)
    return (moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)).isoformat()


def _after(due: Mapping[str, Any], now: datetime) -> datetime:
    try:
        return now + timedelta(seconds=float(due["value"]) * _UNITS_S[due["unit"]])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise PermanentError(f"Due must be a number of {', '.join(_UNITS_S)}.") from error


def _text(inputs: Mapping[str, Any], name: str) -> str:
    value = inputs.get(name)
    return "" if value is None else str(value).strip()


def _pretend(inputs: Mapping[str, Any]) -> dict[str, Any]:
    done = inputs.get("operation") == "complete"
    return {
        "task_id": _text(inputs, "task_id") or "pretended",
        "title": _text(inputs, "title") or default_title(""),
        "status": "DONE" if done else "PENDING",
        "assignee": _text(inputs, "assignee") or None,
        "due_at": None,
        "priority": inputs.get("priority") or "normal",
    }


TASK_CREATE = Action(
    key="task_create",
    version=1,
    title="Create task",
    sentence="{operation} a task[ “{title}”][ for {assignee}][, due: {due}]",
    description="Gives a person or a team something to do. "
    "Can also change, complete or hand over a task that an earlier step made.",
    category="people",
    icon="square-check",
    config_schema=_CONFIG,
    output_schema=_OUTPUT,
    example={"assignee": "sales_team", "due": {"value": 2, "unit": "days"}},
    sample_output={
        "task_id": "01890000-0000-7000-8000-000000000001",
        "title": "Follow up with Ada Byron",
        "status": "PENDING",
        "assignee": "sales_team",
        "due_at": "2026-03-04T09:00:00+00:00",
        "priority": "normal",
    },
    delivery=Delivery.TRANSACTIONAL,
    run=_run,
    pretend=_pretend,
    aliases=("task_management",),
)

ACTIONS = (TASK_CREATE,)
