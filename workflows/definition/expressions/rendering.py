"""How values are written inside text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from workflows.definition.expressions.errors import ExpressionError
from workflows.definition.expressions.limits import Budget
from workflows.definition.expressions.times import written_duration, written_time
from workflows.definition.expressions.values import check_size, in_words

MAX_BITS = 4_096  # of a whole number that is written
WHOLE_BELOW = 1e15  # whole decimals up to here are written without exponent


def to_text(value: Any, budget: Budget) -> str:
    """Return the value as it stands in a text.

    Text as it is, null as "", numbers without ``.0``, true and false, times as ISO text, durations
    as seconds, lists and objects as compact JSON. Raises ExpressionLimitError beyond the budget.
    """
    if isinstance(value, str):
        budget.build(len(value))
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _decimal(value)
    if isinstance(value, int):
        return whole(value)
    if isinstance(value, list | tuple | Mapping):
        return _json(value, budget)
    return _plain(value)


def whole(value: int) -> str:
    """Return a whole number as text; Python refuses to write those of thousands of digits."""
    if value.bit_length() > MAX_BITS:
        raise ExpressionError("The number is too large to be written")
    return str(value)


def _decimal(value: float) -> str:
    return str(int(value) if value.is_integer() and abs(value) < WHOLE_BELOW else value)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return written_time(value)
    if isinstance(value, timedelta):
        return written_duration(value)
    return in_words(value)


def _json(value: Any, budget: Budget) -> str:
    check_size(value, budget)
    try:
        return json.dumps(
            value, ensure_ascii=False, separators=(",", ":"), default=_plain_or_map, allow_nan=False
        )
    except (TypeError, ValueError) as error:
        raise ExpressionError(f"This value cannot be written as JSON: {error}") from None


def _plain_or_map(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else _plain(value)
