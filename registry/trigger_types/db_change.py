"""Database change: a row of a watched table is added, changed or removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.sdk.trigger import TriggerType

OPERATIONS = {"insert": "Added", "update": "Changed", "delete": "Removed"}
_ROW: Mapping[str, Any] = {"type": "object", "additionalProperties": True}
_LEAD_COLUMNS: Mapping[str, Any] = {
    "id": {"type": "integer", "title": "Number"},
    "name": {"type": "string", "title": "Name"},
    "email": {"type": "string", "title": "Email"},
    "phone": {"type": "string", "title": "Phone"},
    "company": {"type": "string", "title": "Company"},
    "source": {"type": "string", "title": "Source"},
    "status": {"type": "string", "title": "State"},
    "score": {"type": "integer", "title": "Score"},
    "created_at": {"type": "string", "format": "date-time", "title": "Arrived"},
}
_LEAD: Mapping[str, Any] = {
    "id": 1,
    "name": "Ada Byron",
    "email": "ada@example.com",
    "phone": "+44 20 7946 0000",
    "company": "Analytical Engines",
    "source": "website",
    "status": "new",
    "score": 80,
    "created_at": "2026-03-02T09:00:00+00:00",
}
_TABLE: Mapping[str, Any] = {
    "type": "string",
    "title": "Table",
    "description": "The table whose rows are watched.",
    "x-ui": "table",
    "x-options-from": "watched_tables",
    "pattern": r"^[A-Za-z_][A-Za-z0-9_$]{0,62}(\.[A-Za-z_][A-Za-z0-9_$]{0,62})?$",
}
_WHICH: Mapping[str, Any] = {
    "operations": {
        "type": "array",
        "title": "What happens",
        "description": "Whether to start when a row is added, changed or removed.",
        "x-ui": "choice",
        "items": {"type": "string", "enum": list(OPERATIONS), "x-labels": OPERATIONS},
        "minItems": 1,
        "uniqueItems": True,
        "default": ["insert", "update"],
    },
    "columns": {
        "type": "array",
        "title": "Only when these change",
        "description": "Columns to look at when a row is changed. Left empty, all of them.",
        "x-ui": "columns",
        "items": {"type": "string", "minLength": 1, "maxLength": 63},
        "uniqueItems": True,
    },
    "changes": {
        "type": "array",
        "title": "Only when it changes so",
        "description": "From which value to which. Either may be left out; one of these must happen.",
        "x-ui": "rows",
        "items": {
            "type": "object",
            "properties": {
                "column": {"type": "string", "title": "Column", "minLength": 1, "maxLength": 63},
                "from": {"type": "string", "title": "From", "maxLength": 500},
                "to": {"type": "string", "title": "To", "maxLength": 500},
            },
            "required": ["column"],
            "additionalProperties": False,
        },
        "maxItems": 20,
    },
}


def _event(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of ``event``; ``new`` is empty after a removal, ``old`` after adding."""
    return {
        "type": "object",
        "properties": {
            "op": {"type": "string", "title": "What happened", "enum": list(OPERATIONS)},
            "table": {"type": "string", "title": "Table"},
            "key": {"title": "Key"},
            "new": row,
            "old": _ROW,
            "changed": {
                "type": "array",
                "title": "Changed columns",
                "items": {"type": "string"},
            },
        },
        "required": ["op", "table", "key", "new", "old", "changed"],
        "additionalProperties": False,
    }


def _sample(table: str) -> dict[str, Any]:
    return {
        "op": "insert",
        "table": table,
        "key": 1,
        "new": dict(_LEAD),
        "old": {},
        "changed": list(_LEAD),
    }


DB_CHANGE = TriggerType(
    key="db_change",
    version=1,
    title="Change in a table",
    sentence="When a row changes[ in {table}]",
    description="Starts when a row of a watched table is added, changed or removed.",
    icon="database",
    stored_type="database",
    config_schema={
        "type": "object",
        "properties": {"table": _TABLE, **_WHICH},
        "required": ["table"],
        "additionalProperties": False,
    },
    event_schema=_event(_ROW),
    sample_event=_sample("customers"),
    contact={"email": "event.new.email", "name": "event.new.name"},
)
LEAD_SOURCES = TriggerType(
    key="lead_sources_db_change",
    version=1,
    title="New or changed lead",
    sentence="When a lead arrives or changes",
    description="Starts when a lead is added to the lead list, or changed in it.",
    icon="user-plus",
    stored_type="database",
    config_schema={"type": "object", "properties": dict(_WHICH), "additionalProperties": False},
    event_schema=_event(
        {
            "type": "object",
            "properties": _LEAD_COLUMNS,
            "required": list(_LEAD_COLUMNS),
            "additionalProperties": True,
        }
    ),
    sample_event=_sample("lead_sources"),
    contact={"email": "event.new.email", "name": "event.new.name"},
    preset_of="db_change",
    preset_cfg={"table": "lead_sources"},
)

TRIGGER_TYPES = (DB_CHANGE, LEAD_SOURCES)
