"""Tasks: somebody closed one, or it is overdue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.sdk.trigger import TriggerType

_TEXT = {"type": ["string", "null"]}
_EVENT: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "task": {
            "type": "object",
            "title": "Task",
            "properties": {
                "id": {"type": "string", "title": "Number"},
                "title": {"type": "string", "title": "Title"},
                "status": {"type": "string", "title": "State"},
                "priority": {"type": "string", "title": "Priority"},
                "assignee": {**_TEXT, "title": "Email of the person"},
                "team": {**_TEXT, "title": "Short name of the team"},
                "due_at": {**_TEXT, "format": "date-time", "title": "Due"},
                "business_key": {"type": "string", "title": "Business key"},
                "execution_id": {**_TEXT, "title": "Number of its run"},
                "step_id": {"type": "string", "title": "Its step"},
            },
        },
        "answer": {"title": "What was answered"},
    },
    "required": ["task", "answer"],
    "additionalProperties": False,
}
_TASK: Mapping[str, Any] = {
    "id": "01890000-0000-7000-8000-000000000001",
    "title": "Call Ada Byron",
    "status": "DONE",
    "priority": "normal",
    "assignee": "eve@example.com",
    "team": None,
    "due_at": "2026-03-02T09:00:00+00:00",
    "business_key": "ada@example.com",
    "execution_id": "01890000-0000-7000-8000-000000000002",
    "step_id": "call",
}
_NOTHING: Mapping[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}

TASK_DONE = TriggerType(
    key="task_done",
    version=1,
    title="When a task is done",
    sentence="When a task is done",
    description="Starts when somebody of this project marks a task as done.",
    icon="circle-check",
    stored_type="workflow",
    config_schema=_NOTHING,
    event_schema=_EVENT,
    sample_event={"task": dict(_TASK), "answer": {"reached": True}},
)
TASK_OVERDUE = TriggerType(
    key="task_overdue",
    version=1,
    title="When a task is overdue",
    sentence="When a task is overdue",
    description="Starts once for each task of this project that is not done at its time.",
    icon="alarm-clock",
    stored_type="workflow",
    config_schema=_NOTHING,
    event_schema=_EVENT,
    sample_event={"task": {**_TASK, "status": "PENDING"}, "answer": None},
)

TRIGGER_TYPES = (TASK_DONE, TASK_OVERDUE)
