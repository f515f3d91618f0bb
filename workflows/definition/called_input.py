"""What a workflow takes when another one calls it: ``settings.input``, a JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from leadsend.lib.errors import Problem

_PATH = "/settings/input"


def check_input(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with the schema itself."""
    wanted = _given(document)
    if isinstance(wanted, Mapping) and not _is_sound(wanted):
        message = "What the workflow takes is a JSON Schema of an object, and this is none."
        yield Problem(code="form", message=message, path=_PATH)


def input_of(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the schema of the input, None where the workflow names none, or none that is sound."""
    wanted = _given(document)
    return wanted if isinstance(wanted, Mapping) and _is_sound(wanted) else None


def _given(document: Mapping[str, Any]) -> Any:
    settings = document.get("settings")
    return settings.get("input") if isinstance(settings, Mapping) else None


def _is_sound(schema: Mapping[str, Any]) -> bool:
    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError:
        return False
    kind: object = schema.get("type", "object")
    return kind == "object"
