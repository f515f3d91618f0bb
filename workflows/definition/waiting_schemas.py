"""The settings of the steps that wait to be answered: wait, approval, workflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from workflows.definition import durations, slugs

Schema = Mapping[str, Any]

FIELD_TYPES: Final = ("text", "long_text", "number", "boolean", "date", "choice")
LONGEST_MATCH: Final = 300
_ID: Final = {"type": "string", "pattern": slugs.PATTERN}
_TITLE: Final = {"type": "string", "maxLength": 200}
_TEXT: Final = {"type": "string", "maxLength": 10_000}
_SPAN: Final = {
    "value": {"type": ["number", "string"], "minimum": 0},
    "unit": {"enum": list(durations.UNITS)},
}
# Either a span or a moment; waiting_rules says which of them is missing.
TIMEOUT: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {**_SPAN, "until": {"type": "string", "minLength": 1}},
}
WAIT: Schema = {
    "type": "object",
    "required": ["for"],
    "additionalProperties": False,
    "properties": {
        "for": {"enum": ["event", "reply", "answer"]},
        "trigger_key": {"type": "string", "minLength": 1, "maxLength": 80},
        "source": {"type": "string", "minLength": 1, "maxLength": 200},
        "key": {"type": ["string", "number"]},
        "match": {"type": "string", "maxLength": LONGEST_MATCH},
        "step": {"type": "string", "maxLength": 80},
        "timeout": TIMEOUT,
    },
}
_ANSWER: Schema = {
    "type": "object",
    "required": ["key"],
    "additionalProperties": False,
    "properties": {"key": _ID, "title": _TITLE},
}
_FIELD: Schema = {
    "type": "object",
    "required": ["key"],
    "additionalProperties": False,
    "properties": {
        "key": _ID,
        "title": _TITLE,
        "type": {"enum": list(FIELD_TYPES)},
        "required": {"type": "boolean"},
        "options": {
            "type": "array",
            "minItems": 1,
            "maxItems": 100,
            "items": {"type": "string", "minLength": 1, "maxLength": 200},
        },
    },
}
APPROVAL: Schema = {
    "type": "object",
    "required": ["title"],
    "additionalProperties": False,
    "properties": {
        "assignee": {"type": "string", "maxLength": 254},
        "title": {"type": "string", "minLength": 1, "maxLength": 1000},
        "description": _TEXT,
        "priority": {"enum": ["low", "normal", "high"]},
        "answers": {"type": "array", "minItems": 1, "maxItems": 10, "items": _ANSWER},
        "fields": {"type": "array", "maxItems": 50, "items": _FIELD},
        "timeout": TIMEOUT,
    },
}
WORKFLOW: Schema = {
    "type": "object",
    "required": ["workflow"],
    "additionalProperties": False,
    "properties": {
        "workflow": {"type": "string", "minLength": 1, "maxLength": 120},
        "mode": {"enum": ["wait", "forget"]},
        "input": {"type": "object"},
        "version": {"const": "live"},
    },
}
