"""The types of what expressions may name, as JSON Schemas by root."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from registry.sdk.catalog_view import CatalogView
from workflows.definition import loop_rules
from workflows.definition.called_input import input_of
from workflows.definition.waiting_rules import output_of

Schema = Mapping[str, Any]

_ANY: Schema = {}
_TEXT: Schema = {"type": "string"}
_MOMENT: Schema = {"type": "string", "format": "date-time"}
_VARIABLE_TYPES: Mapping[str, Schema] = {
    "text": _TEXT,
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
}
_ERROR: Schema = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": _TEXT, "message": _TEXT},
    "additionalProperties": True,
}
_REQUEST: Schema = {
    "type": "object",
    "required": ["method", "headers", "query", "ip"],
    "properties": {
        "method": _TEXT,
        "headers": {"type": "object", "additionalProperties": _TEXT},
        "query": {"type": "object", "additionalProperties": True},
        "ip": _TEXT,
    },
    "additionalProperties": False,
}


def common_roots(document: Mapping[str, Any], catalog: CatalogView) -> dict[str, Schema]:
    """Return the roots that are the same at every step: all but ``steps``, ``item``, ``index``."""
    return {
        "event": _event_of(document, catalog),
        "request": _REQUEST,
        "vars": _variables(document["variables"]),
        "run": closed({"id": _TEXT, "url": _TEXT, "started_at": _MOMENT}),
        "now": _MOMENT,
        "workflow": closed({"id": _TEXT, "name": _TEXT}),
    }


def _event_of(document: Mapping[str, Any], catalog: CatalogView) -> Schema:
    """Return what ``event`` may be; of a workflow that others call, what they hand over too."""
    wanted = input_of(document)
    if wanted is None:
        return event_schema(document["triggers"], catalog)
    if not document["triggers"]:
        return wanted
    return union([event_schema(document["triggers"], catalog), wanted])


def event_schema(triggers: Iterable[Mapping[str, Any]], catalog: CatalogView) -> Schema:
    """Return what ``event`` may be: the union over the triggers, open where a type is unknown."""
    found = []
    for trigger in triggers:
        key = trigger.get("trigger_key")
        kind = catalog.trigger_type(key) if isinstance(key, str) else None
        if kind is None:
            return _ANY
        found.append(kind.event_schema)
    return union(found)


def output_schema(step: Mapping[str, Any], catalog: CatalogView) -> Schema:
    """Return what a step's ``output`` is; anything where that is not known."""
    if step.get("kind") in ("wait", "approval", "workflow"):
        cfg = step.get("cfg")
        key = cfg.get("trigger_key") if isinstance(cfg, Mapping) else None
        return output_of(step, event_schema([{"trigger_key": key}], catalog))
    if step.get("kind") == "loop":
        return loop_rules.output_of(step)
    key = step.get("action_key")
    action = catalog.action(key) if step.get("kind") == "action" and isinstance(key, str) else None
    return action.output_schema if action else _ANY


def step_schema(step: Mapping[str, Any], catalog: CatalogView) -> Schema:
    """Return what ``steps.<id>`` is: ``output``, and ``error`` where the step failed."""
    properties = {"output": output_schema(step, catalog), "error": _ERROR}
    return {**closed(properties), "required": ["output"]}


def closed(properties: Mapping[str, Schema]) -> Schema:
    """Return the schema of an object with exactly these properties, all always there."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def union(schemas: Sequence[Schema]) -> Schema:
    """Return the schema of an object that fits any of these.

    A property stays required only where all of them require it; where any is open, so is the
    result.
    """
    if not schemas:
        return _ANY
    if len(schemas) == 1:
        return schemas[0]
    if any(schema.get("type") != "object" for schema in schemas):
        return _ANY
    names = dict.fromkeys(name for schema in schemas for name in schema.get("properties", {}))
    required = [name for name in names if all(name in s.get("required", ()) for s in schemas)]
    return {
        "type": "object",
        "properties": {name: _either(name, schemas) for name in names},
        "required": required,
        "additionalProperties": any(
            schema.get("additionalProperties", True) is not False for schema in schemas
        ),
    }


def _either(name: str, schemas: Sequence[Schema]) -> Schema:
    found: list[Schema] = []
    for schema in schemas:
        option = schema.get("properties", {}).get(name)
        if option is not None and option not in found:
            found.append(option)
    return found[0] if len(found) == 1 else {"anyOf": found}


def _variables(variables: Iterable[Mapping[str, Any]]) -> Schema:
    known = {}
    for variable in variables:
        if isinstance(variable.get("key"), str):
            name = variable.get("type")
            known[variable["key"]] = (
                _VARIABLE_TYPES.get(name, _ANY) if isinstance(name, str) else {}
            )
    return closed(known)
