"""The functions that CEL defines: sizes, searches, conversions and the parts of a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]

from workflows.definition.expressions.errors import ExpressionError
from workflows.definition.expressions.functions.form import (
    ANY,
    BOOL,
    INT,
    LIST,
    MAP,
    NUMBER,
    SPAN,
    TEXT,
    TIME,
    TIMELIKE,
    Function,
)
from workflows.definition.expressions.limits import MAX_PATTERN, Budget
from workflows.definition.expressions.operators import checked, is_in
from workflows.definition.expressions.rendering import to_text
from workflows.definition.expressions.times import duration_of, in_zone, time_of
from workflows.definition.expressions.values import in_words, kind_of

_WHOLE = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_DECIMAL = re.compile(
    r"[+-]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][+-]?\d{1,4})?", re.ASCII
)
_TRUE = {"1", "t", "true", "TRUE", "True"}
_FALSE = {"0", "f", "false", "FALSE", "False"}
REGEX_MEMORY = 1 << 20  # bytes a compiled pattern may take
STATES_A_STEP = 1_000  # characters times states of the pattern: about 10 µs at RE2's slowest


def size(budget: Budget, value: Any) -> int:
    """Return how many characters, items or keys there are."""
    return len(value)


def contains(budget: Budget, value: Any, part: Any) -> bool:
    """Return whether a text holds a part, or a list an item."""
    if not isinstance(value, str):
        return is_in(part, value, budget)
    if not isinstance(part, str):
        raise ExpressionError(f"`contains` on text needs text, not {in_words(part)}")
    budget.read(value)
    return part in value


@lru_cache(maxsize=512)
def pattern_of(pattern: str) -> Any:
    """Return the compiled pattern. Raises ExpressionError when RE2 refuses it."""
    if len(pattern) > MAX_PATTERN:
        raise ExpressionError(f"The pattern is longer than {MAX_PATTERN:,} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = REGEX_MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "not understood"
        said = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ExpressionError(f"The pattern is not understood: {said[:200]}") from None


def matches(budget: Budget, text: str, pattern: str) -> bool:
    """Return whether the pattern is found somewhere in the text."""
    compiled = pattern_of(pattern)
    budget.spend(1 + len(text) * compiled.programsize // STATES_A_STEP)
    return compiled.search(text) is not None


def to_int(budget: Budget, value: Any) -> int:
    """Return a whole number of a decimal (cut off), a text or a time (seconds since 1970)."""
    if isinstance(value, datetime):
        return int((value - time_of(0)) // timedelta(seconds=1))
    if isinstance(value, str):
        if not _WHOLE.fullmatch(value):
            raise ExpressionError(f'"{value[:40]}" is no whole number')
        value = int(value)
    return int(checked(int(checked(value))))


def to_double(budget: Budget, value: Any) -> float:
    """Return a decimal number of a number or a text."""
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        raise ExpressionError(f'"{value[:40]}" is no number')
    return float(checked(float(value)))


def to_bool(budget: Budget, value: Any) -> bool:
    """Return true or false for the words of it."""
    if isinstance(value, bool):
        return value
    if value in _TRUE or value in _FALSE:
        return value in _TRUE
    raise ExpressionError(f'"{value[:40]}" is neither true nor false')


def to_string(budget: Budget, value: Any) -> str:
    """Return any value as text."""
    return to_text(value, budget)


def _part(
    name: str, of: Callable[[datetime], int], example: str, gives: str, does: str
) -> Function:
    def run(budget: Budget, time: Any, zone_name: str = "UTC") -> int:
        return of(in_zone(time_of(time), zone_name))

    return Function(
        name=name,
        run=run,
        on=TIMELIKE,
        args=(TEXT,),
        optional=1,
        result=INT,
        example=f'timestamp("2026-01-31T09:05:07.25Z").{name}({example})',
        gives=gives,
        does=does,
    )


_SECONDS = {"getHours": 3600, "getMinutes": 60, "getSeconds": 1}


def _span_or_part(
    name: str, of: Callable[[datetime], int], example: str, gives: str, does: str
) -> Function:
    def run(budget: Budget, value: Any, zone_name: str = "UTC") -> int:
        if isinstance(value, timedelta):
            return int(value.total_seconds() / _SECONDS[name])
        return of(in_zone(time_of(value), zone_name))

    return Function(
        name=name,
        run=run,
        on=TIMELIKE | SPAN,
        args=(TEXT,),
        optional=1,
        result=INT,
        example=f'timestamp("2026-01-31T09:05:07.25Z").{name}({example})',
        gives=gives,
        does=does,
    )


def _milliseconds(budget: Budget, value: Any, zone_name: str = "UTC") -> int:
    if isinstance(value, timedelta):
        return (value // timedelta(milliseconds=1)) % 1000
    return in_zone(time_of(value), zone_name).microsecond // 1000


_SIZED = TEXT | LIST | MAP
_WITHIN = '"Europe/Berlin"'
STANDARD: tuple[Function, ...] = (
    Function(name="size", run=size, args=(_SIZED,), result=INT, example='size("Ada")', gives="3",
             does="how many characters, items or keys"),
    Function(name="size", run=size, on=_SIZED, result=INT, example="[1, 2].size()", gives="2",
             does="the same as a method"),
    Function(name="contains", run=contains, on=TEXT | LIST, args=(ANY,), result=BOOL,
             example='"ada@example.org".contains("@")', gives="true",
             does="whether a text holds a part, or a list an item"),
    Function(name="startsWith", run=lambda budget, text, part: text.startswith(part), on=TEXT,
             args=(TEXT,), result=BOOL, example='"+49 30".startsWith("+49")', gives="true",
             does="whether the text begins so"),
    Function(name="endsWith", run=lambda budget, text, part: text.endswith(part), on=TEXT,
             args=(TEXT,), result=BOOL, example='"ada@example.org".endsWith(".org")', gives="true",
             does="whether the text ends so"),
    Function(name="matches", run=matches, on=TEXT, args=(TEXT,), result=BOOL,
             example=r'"A-17".matches("^[A-Z]-\\d+$")', gives="true",
             does="whether an RE2 pattern is found in the text"),
    Function(name="matches", run=matches, args=(TEXT, TEXT), result=BOOL,
             example=r'matches("A-17", "^B")', gives="false", does="the same as a function"),
    Function(name="int", run=to_int, args=(NUMBER | TEXT | TIME,), result=INT,
             example='int("42") + 1', gives="43",
             does="a whole number; decimals are cut off, times are seconds since 1970"),
    Function(name="double", run=to_double, args=(NUMBER | TEXT,), result=NUMBER,
             example='double("2.5") * 2', gives="5", does="a decimal number"),
    Function(name="string", run=to_string, args=(ANY,), result=TEXT,
             example='"Score " + string(80)', gives="Score 80", does="any value as text"),
    Function(name="bool", run=to_bool, args=(TEXT | BOOL,), result=BOOL, example='bool("true")',
             gives="true", does="true or false from text"),
    Function(name="type", run=lambda budget, value: str(kind_of(value)), args=(ANY,), result=TEXT,
             example="type(1.5)", gives="double", does="the name of the value's kind"),
    Function(name="dyn", run=lambda budget, value: value, args=(ANY,), result=ANY,
             example='dyn(1)', gives="1", does="the value itself, unchecked"),
    Function(name="timestamp", run=lambda budget, value: time_of(value), args=(TIMELIKE | INT,),
             result=TIME, example='timestamp("2026-01-31")', gives="2026-01-31T00:00:00Z",
             does="a time from ISO text or from seconds since 1970"),
    Function(name="duration", run=lambda budget, value: duration_of(value), args=(TEXT | SPAN,),
             result=SPAN, example='duration("1h30m")', gives="5400s",
             does="a duration; units w d h m s ms"),
    _part("getFullYear", lambda t: t.year, "", "2026", "the year"),
    _part("getMonth", lambda t: t.month - 1, "", "0", "the month from 0, as in CEL"),
    _part("getDate", lambda t: t.day, "", "31", "the day of the month from 1"),
    _part("getDayOfMonth", lambda t: t.day - 1, "", "30", "the day of the month from 0"),
    _part("getDayOfWeek", lambda t: t.isoweekday() % 7, "", "6", "the weekday, Sunday is 0"),
    _part("getDayOfYear", lambda t: t.timetuple().tm_yday - 1, "", "30", "the day of the year from 0"),
    _span_or_part("getHours", lambda t: t.hour, _WITHIN, "10", "the hour; of a duration all hours"),
    _span_or_part("getMinutes", lambda t: t.minute, "", "5", "the minute; of a duration all minutes"),
    _span_or_part("getSeconds", lambda t: t.second, "", "7", "the second; of a duration all seconds"),
    Function(name="getMilliseconds", run=_milliseconds, on=TIMELIKE | SPAN, args=(TEXT,), optional=1,
             result=INT, example='timestamp("2026-01-31T09:05:07.25Z").getMilliseconds()',
             gives="250", does="the thousandths of the second"),
)  # fmt: skip
