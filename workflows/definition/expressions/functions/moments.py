"""Methods on times. ISO text counts as the time that it names."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from babel.dates import format_datetime

from workflows.definition.expressions.errors import ExpressionError
from workflows.definition.expressions.functions.form import (
    NUMBER,
    SPAN,
    TEXT,
    TIME,
    TIMELIKE,
    Function,
)
from workflows.definition.expressions.functions.numbers import SLOW, locale_of
from workflows.definition.expressions.limits import Budget
from workflows.definition.expressions.times import duration_of, in_zone, moved, time_of

MAX_FORMAT = 100  # characters of a date pattern


def fmt(budget: Budget, value: Any, pattern: str, zone: str = "UTC", locale: str = "en") -> str:
    """Return the time by a Unicode date pattern (or short, medium, long, full) in a zone."""
    if len(pattern) > MAX_FORMAT:
        raise ExpressionError(f"The date pattern is longer than {MAX_FORMAT} characters")
    budget.spend(SLOW)
    time = in_zone(time_of(value), zone)
    try:
        return format_datetime(time, pattern, locale=locale_of(locale))
    except (KeyError, AttributeError):
        raise ExpressionError(f"The date pattern `{pattern}` is not understood") from None


def date(budget: Budget, value: Any, zone: str = "UTC") -> str:
    """Return the day as 2026-01-31."""
    return in_zone(time_of(value), zone).date().isoformat()


def plus(budget: Budget, value: Any, by: Any) -> Any:
    """Return the time after a duration."""
    return moved(time_of(value), duration_of(by))


def minus(budget: Budget, value: Any, by: Any) -> Any:
    """Return the time before a duration."""
    return moved(time_of(value), -duration_of(by))


def days(budget: Budget, value: timedelta) -> float:
    """Return a duration in days."""
    return value / timedelta(days=1)


_SPANLIKE = TEXT | SPAN
MOMENTS: tuple[Function, ...] = (
    Function(name="fmt", run=fmt, on=TIMELIKE, args=(TEXT, TEXT, TEXT), optional=2, result=TEXT,
             example='timestamp("2026-01-31T23:30:00Z").fmt("d MMM y, HH:mm", "Europe/Berlin")',
             gives="1 Feb 2026, 00:30",
             does="the time by a date pattern, in a time zone, in a language (en by default)"),
    Function(name="date", run=date, on=TIMELIKE, args=(TEXT,), optional=1, result=TEXT,
             example='timestamp("2026-01-31T23:30:00Z").date()', gives="2026-01-31",
             does="the day, in a time zone"),
    Function(name="plus", run=plus, on=TIMELIKE, args=(_SPANLIKE,), result=TIME,
             example='timestamp("2026-01-31T09:00:00Z").plus("1d")', gives="2026-02-01T09:00:00Z",
             does="the time after a duration"),
    Function(name="minus", run=minus, on=TIMELIKE, args=(_SPANLIKE,), result=TIME,
             example='timestamp("2026-01-31T09:00:00Z").minus("1h30m")',
             gives="2026-01-31T07:30:00Z", does="the time before a duration"),
    Function(name="days", run=days, on=SPAN, result=NUMBER, example='duration("36h").days()',
             gives="1.5", does="a duration in days"),
)  # fmt: skip
