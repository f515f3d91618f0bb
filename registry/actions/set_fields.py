"""Set fields: makes an object of values, for the steps after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leadsend.lib.errors import PermanentError
from registry.sdk.action import Action, ActionContext, Delivery

_FIELD = {
    "type": "object",
    "title": "Field",
    "properties": {
        "path": {
            "type": "string",
            "title": "Name",
            "pattern": r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$",
            "maxLength": 200,
        },
        "value": {"title": "Value"},
    },
    "required": ["path", "value"],
    "additionalProperties": False,
}
_CONFIG: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "fields": {
            "type": "array",
            "title": "Fields",
            "description": "The fields to set. A dot in a name makes a group: address.city.",
            "x-ui": "rows",
            "x-count": ["field", "fields"],
            "items": _FIELD,
            "minItems": 1,
            "maxItems": 200,
        },
        "keep": {
            "type": "string",
            "title": "Other fields",
            "description": "Whether the fields that started the workflow come along.",
            "x-ui": "choice",
            "enum": ["none", "all"],
            "x-labels": {"none": "Leave them out", "all": "Keep them"},
            "default": "none",
        },
    },
    "required": ["fields"],
    "additionalProperties": False,
}


def make_object(inputs: Mapping[str, Any], event: Any = None) -> dict[str, Any]:
    """Return the object of the fields. Raises PermanentError where a value stands in a group's way.

    With ``keep`` "all" it starts from the event (when that is an object), else empty.
    """
    keeps = inputs.get("keep") == "all" and isinstance(event, Mapping)
    made: dict[str, Any] = dict(event) if keeps else {}
    for field in inputs["fields"]:
        _set(made, str(field["path"]), field["value"])
    return made


def _set(target: dict[str, Any], path: str, value: Any) -> None:
    *groups, last = path.split(".")
    for name in groups:
        inner = target.get(name, {})
        if not isinstance(inner, Mapping):
            raise PermanentError(f"The field {path} cannot be set: {name} is no group.")
        # A copy: the object that the group came from belongs to another step.
        target[name] = dict(inner)
        target = target[name]
    target[last] = value


async def _run(ctx: ActionContext, inputs: Mapping[str, Any]) -> dict[str, Any]:
    return make_object(inputs, ctx.event)


SET_FIELDS = Action(
    key="set_fields",
    version=1,
    title="Set fields",
    sentence="Sets {fields}",
    description="Makes fields with values that later steps use, such as a full name or a discount.",
    category="data",
    icon="list-checks",
    config_schema=_CONFIG,
    output_schema={"type": "object", "additionalProperties": True},
    example={"fields": [{"path": "full_name", "value": "{{ event.name }}"}], "keep": "none"},
    sample_output={"full_name": "Ada Byron"},
    delivery=Delivery.NATURAL_IDEMPOTENT,
    run=_run,
    pretend=make_object,
    pure=True,
)

ACTIONS = (SET_FIELDS,)
