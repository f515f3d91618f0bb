"""Pages by key: each page starts after the last row of the one before, at the same cost."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Model, Q
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from leadsend.lib.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from rest_framework.views import APIView


DEFAULT_LIMIT = 50
MAX_LIMIT = 200


class KeysetPagination(BasePagination):
    """``?limit=&cursor=&order=``; answers ``{"results": [...], "next": cursor or null}``.

    ``order`` is one of the view's ``order_fields``, ``-`` before it turns it round; the view's
    ``default_order`` (newest first) holds without it. The id breaks ties.
    """

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any]:
        """Return the rows of the page of a queryset; one query. Raises InvalidInput (parameters)."""
        limit = _limit(request)
        order = _order(request, view)
        name, descending = order.lstrip("-"), order.startswith("-")
        rows = queryset.order_by(*_columns(name, descending=descending))
        cursor = request.query_params.get("cursor")
        if cursor:
            rows = rows.filter(_after(queryset.model, name, cursor, descending=descending))
        page = list(rows[: limit + 1])
        self.next = _cursor(page[limit - 1], name) if len(page) > limit else None
        return page[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        """Return the page with the cursor of the next one."""
        return Response({"results": data, "next": self.next})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the page's shape for the OpenAPI document."""
        return {
            "type": "object",
            "required": ["results", "next"],
            "properties": {
                "results": schema,
                "next": {
                    "type": ["string", "null"],
                    "description": "The cursor of the next page; null on the last one.",
                },
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the query parameters for the OpenAPI document."""
        orders = [f"{sign}{name}" for name in _order_fields(view) for sign in ("", "-")]
        return [
            _parameter(
                "limit",
                {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
                "How many rows a page holds.",
            ),
            _parameter("cursor", {"type": "string"}, "What `next` of the page before said."),
            _parameter(
                "order",
                {"type": "string", "enum": orders, "default": _default_order(view)},
                "What the rows are sorted by; `-` before it: from the largest.",
            ),
        ]


def _parameter(name: str, schema: Mapping[str, Any], description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": dict(schema),
    }


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", "")
    if not text:
        return DEFAULT_LIMIT
    if text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) >= 1:
        return min(int(text), MAX_LIMIT)
    raise _refused("limit", f"“limit” must be a whole number from 1 to {MAX_LIMIT}.")


def _order(request: Request, view: APIView | None) -> str:
    wanted = request.query_params.get("order", "")
    if not wanted:
        return _default_order(view)
    allowed = _order_fields(view)
    if wanted.removeprefix("-") in allowed:
        return wanted
    raise _refused("order", f"“order” must be one of {', '.join(allowed)}, with or without -.")


def _order_fields(view: Any) -> Sequence[str]:
    return getattr(view, "order_fields", ("id",))


def _default_order(view: Any) -> str:
    return getattr(view, "default_order", "-id")


def _columns(name: str, *, descending: bool) -> list[str]:
    sign = "-" if descending else ""
    return [f"{sign}{name}"] if name in {"id", "pk"} else [f"{sign}{name}", f"{sign}id"]


def _cursor(row: Model, name: str) -> str:
    value = getattr(row, name)
    key = value.isoformat() if isinstance(value, datetime) else str(value)
    return base64.urlsafe_b64encode(orjson.dumps([name, key, str(row.pk)])).decode().rstrip("=")


def _after(model: type[Model], name: str, cursor: str, *, descending: bool) -> Q:
    key, identifier = _read(model, name, cursor)
    beyond = "lt" if descending else "gt"
    if name in {"id", "pk"}:
        return Q(**{f"pk__{beyond}": identifier})
    return Q(**{f"{name}__{beyond}": key}) | Q(**{name: key, f"pk__{beyond}": identifier})


def _read(model: type[Model], name: str, cursor: str) -> tuple[Any, Any]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found, key, identifier = orjson.loads(
            base64.b64decode(padded, altchars=b"-_", validate=True)
        )
        if found != name or "\x00" in f"{key}{identifier}":
            raise ValueError(found)
        field = model._meta.pk if name == "pk" else model._meta.get_field(name)
        assert model._meta.pk is not None  # noqa: S101 - every model here has a key
        return field.to_python(key), model._meta.pk.to_python(identifier)  # type: ignore[union-attr]
    except (binascii.Error, ValueError, TypeError, ValidationError, FieldDoesNotExist) as error:
        raise _refused("cursor", "“cursor” is not one that a page gave for this order.") from error


def _refused(name: str, message: str) -> InvalidInput:
    return InvalidInput(
        message, problems=[Problem(code="invalid", message=message, path=f"/{name}")]
    )
