"""JSON as PostgreSQL can store it, whatever a step came up with."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson

from leadsend.lib.input_guard import clean_text
from leadsend.lib.payloads import Reference, checked


def to_json(value: Any) -> str | None:
    """Return JSON that PostgreSQL can store: no NUL, no lone surrogates, no NaN; None for None."""
    return None if value is None else _dumped(value).decode()


def payload_json(value: Any) -> str | None:
    """Return the same for a column whose large values lie elsewhere. Raises Oversized."""
    return None if value is None else checked(value, _dumped(value))


def _dumped(value: Any) -> bytes:
    try:
        data = orjson.dumps(value, default=_default)
    except (TypeError, ValueError):  # too large a number, a lone surrogate, a strange key
        return json.dumps(_clean(value), default=_default, ensure_ascii=False).encode()
    if b"\\u0000" in data:
        data = orjson.dumps(_clean(value), default=_default)
    return data


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float) and (math.isnan(value) or math.isinf(value)):
        return None
    if isinstance(value, dict):
        return {clean_text(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


def _default(value: Any) -> Any:
    if isinstance(value, Reference):
        return value.stored()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return str(value)
