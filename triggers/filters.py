"""Decides whether an event passes a subscription's filter, and says why in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson

from leadsend.lib.errors import LeadSendError
from leadsend.lib.input_guard import clean_text
from workflows.definition.expressions.conditions import Verdict, compile_condition
from workflows.definition.expressions.text import compile_text

_KEPT = 2000
_LONGEST_BUSINESS_KEY = 300


def judge(conditions: str, scope: Mapping[str, Any]) -> Verdict:
    """Return the verdict on an event. Raises ExpressionError and its kin for a broken filter.

    ``conditions`` is JSON text as jsonb writes it, which is the same for the same filter: each is
    compiled once. ``scope`` has the roots ``event``, ``request`` and ``now``.
    """
    return _compiled(conditions)(scope)


def compile_filter(conditions: str) -> None:
    """Raise ExpressionSyntaxError or ExpressionLimitError for conditions that cannot be read."""
    _compiled(conditions)


def scope_of(event: Any, request: Any, now: datetime) -> dict[str, Any]:
    """Return the roots that a filter may use."""
    return {"event": event, "request": request or {}, "now": now}


def business_key(template: str, scope: Mapping[str, Any]) -> str:
    """Return what the run is about (``settings.business_key``), or "" where it cannot be told.

    An event that lacks the field still starts its workflow.
    """
    return key_text(template, scope)[:_LONGEST_BUSINESS_KEY]


def key_text(template: str, scope: Mapping[str, Any]) -> str:
    """Return the value of a text with holes as text, or "" where it cannot be told."""
    if not template:
        return ""
    try:
        value = _template(template)(scope)
    except LeadSendError:
        return ""
    return "" if value is None else clean_text(str(value))


@lru_cache(maxsize=_KEPT)
def _compiled(text: str) -> Callable[[Mapping[str, Any]], Verdict]:
    return compile_condition(orjson.loads(text))


@lru_cache(maxsize=_KEPT)
def _template(template: str) -> Callable[[Mapping[str, Any]], Any]:
    return compile_text(template)
