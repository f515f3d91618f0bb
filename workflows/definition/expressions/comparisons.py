"""What the operators of structured conditions do with two values.

People, forms and webhooks deliver numbers, dates and yes as text; so a row compares what a person
would: ``"80"`` is more than 50. A missing value counts as empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from workflows.definition.expressions.errors import ExpressionError
from workflows.definition.expressions.functions.numbers import number_or_none
from workflows.definition.expressions.functions.standard import matches
from workflows.definition.expressions.limits import Budget
from workflows.definition.expressions.rendering import to_text
from workflows.definition.expressions.times import duration_of, time_of
from workflows.definition.expressions.values import Kind, equal, kind_of

Compare = Callable[[Any, Any, datetime, Budget], bool]
_NUMBER_TYPES = frozenset({int, float})
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


def is_empty(value: Any) -> bool:
    """Return whether there is nothing: missing, null, blank text, no items, no fields."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, list | tuple | Mapping) and not value)


def _truth(value: Any) -> bool | None:
    """Return what a value says as yes or no, or None when it says neither."""
    if isinstance(value, bool):
        return value
    word = to_text(value, Budget()).strip().lower() if isinstance(value, str | int | float) else ""
    return True if word in _TRUE else False if word in _FALSE else None


def same(left: Any, right: Any, budget: Budget) -> bool:
    """Return whether two values are equal to a person: 80 and "80" are, so are two empty ones."""
    if is_empty(left) or is_empty(right):
        return is_empty(left) and is_empty(right)
    if isinstance(left, bool) or isinstance(right, bool):
        return _truth(left) is _truth(right) is not None
    one, other = kind_of(left), kind_of(right)
    if one is other:
        return equal(left, right, budget)
    if {one, other} == {Kind.TIMESTAMP, Kind.STRING}:
        return time_or_none(left) == time_or_none(right)
    numbers = number_or_none(left), number_or_none(right)
    return None not in numbers and numbers[0] == numbers[1]


def time_or_none(value: Any) -> datetime | None:
    """Return the time that a value is or names as ISO text, or None."""
    if not isinstance(value, str | datetime):
        return None
    try:
        return time_of(value)
    except ExpressionError:
        return None


def _ordered(left: Any, right: Any) -> tuple[Any, Any] | None:
    """Return the two as numbers, as times or as texts, whichever fits both first, or None."""
    if type(left) in _NUMBER_TYPES and type(right) in _NUMBER_TYPES:
        return left, right
    for read in (number_or_none, time_or_none, _text_or_none):
        one, other = read(left), read(right)
        if one is not None and other is not None:
            return one, other
    return None


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _by_order(decide: Callable[[Any, Any], bool]) -> Compare:
    def compare(left: Any, right: Any, now: datetime, budget: Budget) -> bool:
        if is_empty(left) or is_empty(right):
            return False
        pair = _ordered(left, right)
        return pair is not None and decide(*pair)

    return compare


def _contains(left: Any, right: Any, now: datetime, budget: Budget) -> bool:
    if is_empty(left) or right is None:
        return False
    if isinstance(left, Mapping):
        return isinstance(right, str) and right in left
    if isinstance(left, list | tuple):
        budget.spend(len(left))
        return any(same(item, right, budget) for item in left)
    part = to_text(right, budget)
    return bool(part) and part in to_text(left, budget)


def _in(left: Any, right: Any, now: datetime, budget: Budget) -> bool:
    if is_empty(left):
        return False
    choices = [part.strip() for part in right.split(",")] if isinstance(right, str) else right
    if isinstance(choices, list | tuple | Mapping):
        budget.spend(len(choices))
        return any(same(left, choice, budget) for choice in choices)
    return same(left, right, budget)


def _begins(left: Any, right: Any, now: datetime, budget: Budget) -> bool:
    part = to_text(right, budget)
    return bool(part) and to_text(left, budget).startswith(part)


def _ends(left: Any, right: Any, now: datetime, budget: Budget) -> bool:
    part = to_text(right, budget)
    return bool(part) and to_text(left, budget).endswith(part)


def _matches(left: Any, right: Any, now: datetime, budget: Budget) -> bool:
    if is_empty(left):
        return False
    return matches(budget, to_text(left, budget), to_text(right, budget))


def _by_time(decide: Callable[[datetime, datetime], bool]) -> Compare:
    def compare(left: Any, right: Any, now: datetime, budget: Budget) -> bool:
        one, other = time_or_none(left), time_or_none(right)
        return one is not None and other is not None and decide(one, other)

    return compare


def _within_last(left: Any, right: Any, now: datetime, budget: Budget) -> bool:
    time = time_or_none(left)
    return time is not None and timedelta(0) <= now - time <= span_of(right)


def span_of(value: Any) -> timedelta:
    """Return a duration for "7d" or for ``{"value": 7, "unit": "days"}``. Raises ExpressionError."""
    if isinstance(value, Mapping):
        unit = str(value.get("unit", ""))[:1]
        return duration_of(f"{to_text(value.get('value'), Budget())}{unit}")
    return duration_of(value)


def _not(compare: Compare) -> Compare:
    return lambda left, right, now, budget: not compare(left, right, now, budget)


def _same(left: Any, right: Any, now: datetime, budget: Budget) -> bool:
    return same(left, right, budget)


COMPARISONS: dict[str, Compare] = {
    "eq": _same,
    "ne": _not(_same),
    "gt": _by_order(lambda a, b: bool(a > b)),
    "ge": _by_order(lambda a, b: bool(a >= b)),
    "lt": _by_order(lambda a, b: bool(a < b)),
    "le": _by_order(lambda a, b: bool(a <= b)),
    "contains": _contains,
    "not_contains": _not(_contains),
    "starts_with": _begins,
    "ends_with": _ends,
    "in": _in,
    "not_in": _not(_in),
    "is_empty": lambda left, right, now, budget: is_empty(left),
    "is_not_empty": lambda left, right, now, budget: not is_empty(left),
    "exists": lambda left, right, now, budget: left is not None,
    "is_true": lambda left, right, now, budget: _truth(left) is True,
    "is_false": lambda left, right, now, budget: _truth(left) is False,
    "matches": _matches,
    "within_last": _within_last,
    "before": _by_time(lambda a, b: a < b),
    "after": _by_time(lambda a, b: a > b),
}
