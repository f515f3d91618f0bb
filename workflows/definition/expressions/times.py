"""Times and durations: how they are read from text, and written."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from workflows.definition.expressions.errors import ExpressionError

_TIME = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})"
    r"(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s?([Zz]|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)
_UNITS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_SMALL = {"ms": 1_000, "us": 1, "ns": 0.001}  # microseconds
_PART = re.compile(r"(\d{1,12}(?:\.\d{1,9})?|\.\d{1,9})(ms|us|µs|ns|[wdhms])", re.ASCII)
_OFFSET = re.compile(r"([+-]?)(\d{2}):(\d{2})", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_WRITTEN = 64  # characters of a time or duration


def time_of(value: Any) -> datetime:
    """Return a time for ISO text, for seconds since 1970, or for a time.

    Text without an offset counts as UTC, a date alone as its midnight in UTC. Raises
    ExpressionError.
    """
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, int) and not isinstance(value, bool):
        return moved(_EPOCH, timedelta_of_seconds(value))
    if isinstance(value, str):
        return _read_time(value)
    raise ExpressionError("A time is needed here, as in 2026-01-31T09:00:00Z")


def _read_time(text: str) -> datetime:
    found = _TIME.fullmatch(text.strip()) if len(text) <= MAX_WRITTEN else None
    if found is None:
        raise ExpressionError(f'"{text[:40]}" is no time; write it as 2026-01-31T09:00:00Z')
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        return datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "0").ljust(6, "0")[:6]),
            tzinfo=_fixed_offset(offset),
        )
    except ValueError as error:
        raise ExpressionError(f'"{text}" is no time: {error}') from None


def _fixed_offset(offset: str | None) -> tzinfo:
    if offset is None or offset in "Zz":
        return UTC
    parsed = datetime.strptime(offset.replace(":", ""), "%z").tzinfo
    return parsed or UTC


def duration_of(value: Any) -> timedelta:
    """Return a duration for text such as ``1h30m``, ``-2d`` or ``1.5s``, or for a duration.

    Units: w d h m s ms us ns. Raises ExpressionError.
    """
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or len(value) > MAX_WRITTEN:
        raise ExpressionError('A duration is needed here, as in "1d" or "2h30m"')
    text = value.strip().replace(" ", "")
    sign, body = (-1, text[1:]) if text[:1] == "-" else (1, text.removeprefix("+"))
    parts = _PART.findall(body)
    if not parts or _PART.sub("", body):
        raise ExpressionError(f'"{value}" is no duration; write it as "1d" or "2h30m"')
    return timedelta_of_seconds(sign * sum(_seconds(number, unit) for number, unit in parts))


def _seconds(number: str, unit: str) -> float:
    if unit in _UNITS:
        return float(number) * _UNITS[unit] if "." in number else int(number) * _UNITS[unit]
    return float(number) * _SMALL["us" if unit == "µs" else unit] / 1_000_000


def timedelta_of_seconds(seconds: float) -> timedelta:
    """Return so many seconds. Raises ExpressionError beyond about 10,000 years."""
    if abs(seconds) > 315_576_000_000:
        raise ExpressionError("This duration is longer than 10,000 years")
    return timedelta(seconds=seconds)


def moved(time: datetime, by: timedelta) -> datetime:
    """Return the time after a duration. Raises ExpressionError outside the years 1 to 9999."""
    try:
        return time + by
    except OverflowError:
        raise ExpressionError("This time lies outside the years 1 to 9999") from None


def written_time(time: datetime) -> str:
    """Return ISO text in UTC, ``2026-01-31T09:00:00Z``, with a fraction when there is one."""
    utc = time.astimezone(UTC) if time.tzinfo else time
    fraction = f".{utc.microsecond:06}".rstrip("0") if utc.microsecond else ""
    return f"{utc.year:04}-{utc.month:02}-{utc.day:02}T{utc:%H:%M:%S}{fraction}Z"


def written_duration(duration: timedelta) -> str:
    """Return seconds as CEL writes them: ``5400s``, ``-1.5s``."""
    micros = duration // timedelta(microseconds=1)
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    whole, rest = divmod(micros, 1_000_000)
    return f"{sign}{whole}{f'.{rest:06}'.rstrip('0') if rest else ''}s"


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """Return the time zone of a name such as Europe/Berlin, or of an offset such as +02:00.

    Raises ExpressionError for a name that is not in the time zone database.
    """
    offset = _OFFSET.fullmatch(name)
    if offset:
        sign, hours, minutes = offset.groups()
        return _fixed_offset(f"{sign or '+'}{hours}{minutes}")
    if name == "UTC" or not name:
        return UTC
    if name not in _zone_names():
        raise ExpressionError(f'There is no time zone "{name[:40]}"; write it as Europe/Berlin')
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def in_zone(time: datetime, name: str) -> datetime:
    """Return the same moment on the clocks of a zone. Raises ExpressionError."""
    try:
        return time.astimezone(zone(name))
    except (OverflowError, ValueError):
        raise ExpressionError("This time lies outside the years 1 to 9999") from None
