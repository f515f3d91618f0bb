"""How the OpenAPI document says what all operations have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from drf_spectacular.openapi import AutoSchema as FrameworkSchema
from drf_spectacular.plumbing import build_parameter_type
from drf_spectacular.utils import OpenApiParameter

PROBLEM = {
    "type": "object",
    "description": "One finding, at the place it is about.",
    "required": ["step_id", "path", "code", "message", "severity"],
    "properties": {
        "step_id": {"type": ["string", "null"]},
        "path": {"type": "string", "description": "JSON pointer into the document or the body."},
        "code": {"type": "string"},
        "message": {"type": "string"},
        "severity": {"type": "string", "enum": ["error", "warning"]},
    },
}
ERROR = {
    "type": "object",
    "description": "Every error has this shape.",
    "required": ["code", "message", "problems"],
    "properties": {
        "code": {"type": "string", "description": "Stable, for programs."},
        "message": {"type": "string", "description": "For people: what to do."},
        "problems": {"type": "array", "items": {"$ref": "#/components/schemas/Finding"}},
    },
}
_ALWAYS = {
    "400": "The request cannot be read or accepted; `problems` says where.",
    "401": "Nobody is signed in, or the token is not good.",
    "403": "The role or the token does not include this.",
    "404": "There is no such object, or not for this user.",
    "503": "The database is away; try again.",
}
_WITH_BODY = {
    "409": "Somebody else changed it meanwhile, or its state forbids this.",
    "413": "The body is larger than 10 MiB.",
    "415": "The content type is not application/json.",
}


class AutoSchema(FrameworkSchema):
    """Describes ids in addresses without asking models, whose querysets need a user."""

    def _resolve_path_parameters(self, variables: Iterable[str]) -> list[dict[str, Any]]:
        return [_path_parameter(name) for name in variables]


def add_errors(result: dict[str, Any], **context: Any) -> dict[str, Any]:
    """Add the error envelope to every operation (a post-processing hook)."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas |= {"Error": ERROR, "Finding": PROBLEM}
    result["components"]["schemas"] = dict(sorted(schemas.items()))
    for operations in result["paths"].values():
        for method, operation in operations.items():
            if method in {"get", "post", "put", "patch", "delete"}:
                _describe(operation, changes=method != "get")
    return result


def any_value_is_nullable(result: dict[str, Any], **context: Any) -> dict[str, Any]:
    """Say "any value" once: "any value or null" is two alternatives that null fits (a hook)."""
    _simplify(result)
    return result


def _simplify(node: Any) -> None:
    if isinstance(node, list):
        for item in node:
            _simplify(item)
    elif isinstance(node, dict):
        choices = node.get("oneOf")
        if isinstance(choices, list) and {} in choices:
            del node["oneOf"]
        for item in node.values():
            _simplify(item)


def _describe(operation: dict[str, Any], *, changes: bool) -> None:
    answers = {**_ALWAYS, **(_WITH_BODY if changes else {})}
    for code, description in answers.items():
        operation["responses"].setdefault(code, _error(description))
    operation["responses"] = dict(sorted(operation["responses"].items()))


def _error(description: str) -> Mapping[str, Any]:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _path_parameter(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if name == "id" or name.endswith("_id"):
        schema["format"] = "uuid"
    elif name in {"number", "other"}:
        schema = {"type": "integer", "minimum": 0}
    return build_parameter_type(name=name, location=OpenApiParameter.PATH, schema=schema)
