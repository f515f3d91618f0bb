"""The JSON Schema (2020-12) of the document, as a whole and per kind of step."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from workflows.definition import business_time, durations, loop_schemas, slugs, waiting_schemas
from workflows.definition.defaults import FORMAT

Schema = Mapping[str, Any]

OPERATORS = (
    "eq", "ne", "gt", "ge", "lt", "le", "contains", "not_contains", "starts_with", "ends_with",
    "in", "not_in", "is_empty", "is_not_empty", "exists", "is_true", "is_false", "matches",
    "changed", "changed_from_to", "within_last", "before", "after",
)  # fmt: skip
# Of these the right side is never looked at.
UNARY_OPERATORS = frozenset(
    {"is_empty", "is_not_empty", "exists", "is_true", "is_false", "changed"}
)
# What becomes of an event whose key is busy (settings.concurrency).
POLICIES = ("queue", "drop_new", "cancel_old", "coalesce")
VARIABLE_TYPES = ("text", "number", "boolean", "json")
# Their shape is accepted so that documents keep them, but they cannot be published yet.
KINDS_TO_COME = frozenset({"code"})

_ID = {"type": "string", "pattern": slugs.PATTERN}
_TITLE = {"type": "string", "maxLength": 200}
_TEXT = {"type": "string", "maxLength": 10_000}
_BRANCH = {"type": "string", "minLength": 1, "maxLength": 80}
_KEY = {"type": "string", "minLength": 1, "maxLength": 1000}
_SECONDS = {"type": "number", "exclusiveMinimum": 0, "maximum": 31_536_000}

CONDITION: Schema = {
    "type": "object",
    "oneOf": [
        {"additionalProperties": False, "maxProperties": 0},
        {
            "required": ["all"],
            "additionalProperties": False,
            "properties": {"all": {"type": "array", "items": {"$ref": "#/$defs/clause"}}},
        },
        {
            "required": ["any"],
            "additionalProperties": False,
            "properties": {"any": {"type": "array", "items": {"$ref": "#/$defs/clause"}}},
        },
        {
            "required": ["cel"],
            "additionalProperties": False,
            "properties": {"cel": {"type": "string", "minLength": 1}},
        },
    ],
}
CLAUSE: Schema = {
    "anyOf": [
        {
            "type": "object",
            "required": ["left", "op"],
            "additionalProperties": False,
            "properties": {"left": {}, "op": {"enum": list(OPERATORS)}, "right": {}},
        },
        {"$ref": "#/$defs/condition"},
    ]
}
DURATION: Schema = {
    "type": "object",
    "required": ["value", "unit"],
    "additionalProperties": False,
    "properties": {
        "value": {"type": ["number", "string"], "minimum": 0},
        "unit": {"enum": list(durations.UNITS)},
    },
}

# The cfg of each kind; an action's comes from its own config_schema.
CFG_SCHEMAS: Mapping[str, Schema] = {
    "action": {"type": "object"},
    "condition": {"$ref": "#/$defs/condition"},
    "switch": {
        "type": "object",
        "required": ["cases"],
        "additionalProperties": False,
        "properties": {
            "mode": {"enum": ["first"]},
            "cases": {
                "type": "array",
                "minItems": 1,
                "maxItems": 50,
                "items": {
                    "type": "object",
                    "required": ["key", "when"],
                    "additionalProperties": False,
                    "properties": {
                        "key": _ID,
                        "title": _TITLE,
                        "when": {"$ref": "#/$defs/condition"},
                    },
                },
            },
        },
    },
    "delay": {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {
            "for": {"$ref": "#/$defs/duration"},
            "until": {"type": "string", "minLength": 1},
            "business": {
                "type": "object",
                "required": ["for"],
                "additionalProperties": False,
                "properties": {
                    "for": {
                        "type": "object",
                        "required": ["value", "unit"],
                        "additionalProperties": False,
                        "properties": {
                            "value": {"type": ["number", "string"], "minimum": 0},
                            "unit": {"enum": ["hours", "days"]},
                        },
                    }
                },
            },
            "next": {"enum": ["business_hours", "weekday"]},
            "weekdays": {
                "type": "array",
                "minItems": 1,
                "uniqueItems": True,
                "items": {"enum": list(business_time.WEEKDAYS)},
            },
            "at": {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"},
            "calendar": {"type": "string", "minLength": 1, "maxLength": 80},
        },
    },
    "end": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "status": {"enum": ["success", "failed"]},
            "message": _TEXT,
            "output": {},
        },
    },
    "wait": waiting_schemas.WAIT,
    "loop": loop_schemas.LOOP,
    "approval": waiting_schemas.APPROVAL,
    "workflow": waiting_schemas.WORKFLOW,
    "code": {"type": "object"},
}
KINDS = tuple(CFG_SCHEMAS)

_RETRY = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "attempts": {"type": "integer", "minimum": 1, "maximum": 100},
        "base_s": _SECONDS,
        "max_delay_s": _SECONDS,
        "within_s": _SECONDS,
    },
}
_JOIN = {
    "anyOf": [
        {"enum": ["all", "any"]},
        {
            "type": "object",
            "required": ["first"],
            "additionalProperties": False,
            "properties": {"first": {"type": "integer", "minimum": 1}},
        },
    ]
}
_STEP_FIELDS: Mapping[str, Any] = {
    "id": _ID,
    "title": _TITLE,
    "note": _TEXT,
    "join": _JOIN,
    "parent": {"type": "string", "maxLength": 80},
}
_EFFECT_FIELDS: Mapping[str, Any] = {
    "retry": _RETRY,
    "timeout_s": _SECONDS,
    "undo": {"type": "string", "maxLength": 80},
}
_KINDS_WITH_EFFECTS = frozenset({"action", "workflow", "code"})

EDGE: Schema = {
    "type": "object",
    "required": ["from", "to"],
    "additionalProperties": False,
    "properties": {
        "from": {"type": "string"},
        "to": {"type": "string"},
        "branch_key": _BRANCH,
    },
}
TRIGGER: Schema = {
    "type": "object",
    "required": ["id", "trigger_key"],
    "additionalProperties": False,
    "properties": {
        "id": _ID,
        "title": _TITLE,
        "trigger_key": {"type": "string", "minLength": 1, "maxLength": 80},
        "cfg": {"type": "object"},
        "filter_conditions": {"$ref": "#/$defs/condition"},
    },
}
VARIABLE: Schema = {
    "type": "object",
    "required": ["key"],
    "additionalProperties": False,
    "properties": {
        "key": _ID,
        "title": _TITLE,
        "description": _TEXT,
        "type": {"enum": list(VARIABLE_TYPES)},
        "value": {},
        "secret": {"type": "boolean"},
    },
}
SETTINGS: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "timezone": {"type": "string", "minLength": 1, "maxLength": 80},
        "business_key": {"type": "string", "maxLength": 1000},
        "on_failure": {"type": "string", "maxLength": 120},
        "input": {"type": "object"},
        "timeout_s": _SECONDS,
        "priority": {"type": "integer", "minimum": -10, "maximum": 10},
        "concurrency": {
            "type": "object",
            "required": ["key"],
            "additionalProperties": False,
            "properties": {
                "key": _KEY,
                "limit": {"type": "integer", "minimum": 1, "maximum": 1000},
                "policy": {"enum": list(POLICIES)},
                "strict_order": {"type": "boolean"},
            },
        },
        "retention": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "done_days": {"type": "integer", "minimum": 1, "maximum": 3650},
                "failed_days": {"type": "integer", "minimum": 1, "maximum": 3650},
            },
        },
        "debounce": {
            "type": "object",
            "required": ["key", "for"],
            "additionalProperties": False,
            "properties": {"key": _KEY, "for": {"$ref": "#/$defs/duration"}},
        },
    },
}
DEFS: Mapping[str, Any] = {"condition": CONDITION, "clause": CLAUSE, "duration": DURATION}


def step_schema(kind: str) -> dict[str, Any]:
    """Return the schema of a step of this kind; its references point to ``DEFS``."""
    properties: dict[str, Any] = {
        **_STEP_FIELDS,
        "kind": {"const": kind},
        "cfg": CFG_SCHEMAS[kind],
    }
    required = ["id", "kind"]
    if kind == "action":
        properties["action_key"] = {"type": "string", "minLength": 1, "maxLength": 80}
        required.append("action_key")
    if kind in _KINDS_WITH_EFFECTS:
        properties |= _EFFECT_FIELDS
    return {
        "type": "object",
        "required": required,
        "additionalProperties": False,
        "properties": properties,
    }


def frame_schema() -> dict[str, Any]:
    """Return the schema of the document, in which steps, triggers … are any objects."""
    objects = {"type": "array", "maxItems": 2000, "items": {"type": "object"}}
    return {
        "type": "object",
        "required": ["name"],
        "additionalProperties": False,
        "properties": {
            "format": {"const": FORMAT},
            "name": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"\S"},
            "description": _TEXT,
            "category": {"type": "string", "maxLength": 80},
            "tags": {
                "type": "array",
                "maxItems": 50,
                "items": {"type": "string", "minLength": 1, "maxLength": 80},
            },
            "settings": SETTINGS,
            "variables": objects,
            "triggers": objects,
            "steps": objects,
            "edges": objects,
        },
    }


def document_schema() -> dict[str, Any]:
    """Return the schema of whole documents, for editors and other programs."""
    result = deepcopy(frame_schema())
    parts = {"variables": VARIABLE, "triggers": TRIGGER, "edges": EDGE}
    for part, item in parts.items():
        result["properties"][part] = {"type": "array", "maxItems": 2000, "items": item}
    step = {
        "type": "object",
        "required": ["id", "kind"],
        "properties": {"kind": {"enum": list(KINDS)}},
        "allOf": [_when_kind(kind) for kind in KINDS],
    }
    result["properties"]["steps"] = {"type": "array", "maxItems": 2000, "items": step}
    defs = dict(DEFS) | {f"step_{kind}": step_schema(kind) for kind in KINDS}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "LeadSend workflow document",
        **result,
        "$defs": defs,
    }


def _when_kind(kind: str) -> dict[str, Any]:
    matches = {"properties": {"kind": {"const": kind}}, "required": ["kind"]}
    return {"if": matches, "then": {"$ref": f"#/$defs/step_{kind}"}}
