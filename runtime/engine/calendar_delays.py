"""Delays by an organisation's calendar: business hours, business days, the next weekday."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta
from typing import Any, Final

from leadsend.lib.errors import PermanentError
from runtime.engine.fields import Scope, compile_field
from workflows.definition import durations
from workflows.definition.business_time import (
    USUAL,
    WORKING_DAYS,
    Calendar,
    after_open_days,
    after_open_hours,
    next_open,
    next_weekday,
)

# Where the scope holds the calendars by key; no expression can name it.
CALENDARS: Final = "@calendars"
DEFAULT: Final = ""
_FORMS: Final = frozenset({"business", "next"})
_MOST_DAYS: Final = 366

Due = Callable[[Scope], datetime]


def needs_calendar(cfg: Mapping[str, Any]) -> bool:
    """Say whether a delay's settings ask for a calendar."""
    return not _FORMS.isdisjoint(cfg)


def compile_calendar_delay(cfg: Mapping[str, Any], *, step_id: str) -> Due:
    """Return a function that says until when to wait, in UTC.

    ``cfg`` is ``{"business": {"for": {"value", "unit": "hours" | "days"}}}``, ``{"next":
    "business_hours"}`` or ``{"next": "weekday", "weekdays": ["mon", …], "at": "09:00"}``, each with
    ``calendar``, the key of one that is not the usual. The function raises PermanentError for what
    cannot be waited for, a calendar that does not exist, and one that is never open.
    """
    name = str(cfg.get("calendar") or DEFAULT)
    if "business" in cfg:
        due = _business(cfg["business"], step_id)
    elif cfg["next"] == "weekday":
        due = _weekday(cfg)
    else:
        due = _opening

    def due_at(scope: Scope) -> datetime:
        found = due(_calendar(scope, name), scope)
        if found is None:
            raise PermanentError(
                "The calendar is never open again: give it business hours.", code="calendar_closed"
            )
        return found

    return due_at


_Due = Callable[[Calendar, Scope], datetime | None]


def _business(cfg: Mapping[str, Any], step_id: str) -> _Due:
    span = compile_field(cfg.get("for") or {}, step_id=step_id, field="business/for")

    def due(calendar: Calendar, scope: Scope) -> datetime | None:
        value, unit = _span(span(scope))
        if unit == "days":
            return after_open_days(calendar, scope["now"], _days(value))
        return after_open_hours(calendar, scope["now"], _wait(value, unit))

    return due


def _weekday(cfg: Mapping[str, Any]) -> _Due:
    weekdays = tuple(cfg.get("weekdays") or WORKING_DAYS)
    at = time.fromisoformat(str(cfg.get("at") or "09:00"))
    return lambda calendar, scope: next_weekday(calendar, scope["now"], weekdays, at)


def _opening(calendar: Calendar, scope: Scope) -> datetime | None:
    return next_open(calendar, scope["now"])


def _calendar(scope: Scope, name: str) -> Calendar:
    found = (scope.get(CALENDARS) or {}).get(name)
    if isinstance(found, Calendar):
        return found
    if name == DEFAULT:
        return USUAL
    raise PermanentError(
        f"There is no calendar “{name}”: choose another one, or add it in the admin.",
        code="calendar_unknown",
    )


def _span(value: Any) -> tuple[float, str]:
    given = value if isinstance(value, Mapping) else {}
    number, unit = given.get("value"), str(given.get("unit", ""))
    try:
        found = float(number)  # type: ignore[arg-type]  # what is none is refused
    except (TypeError, ValueError):
        found = -1.0
    if not 0 <= found < float("inf") or unit not in ("hours", "days"):
        raise PermanentError(
            f"Business time is a number of hours or days, not {number!r} {unit}.",
            code="delay_unknown",
        )
    return found, unit


def _days(value: float) -> int:
    if not value.is_integer():
        raise PermanentError(
            f"Business days are whole days, not {value}: use hours.", code="delay_unknown"
        )
    return min(int(value), _MOST_DAYS)


def _wait(value: float, unit: str) -> timedelta:
    try:
        return durations.span({"value": value, "unit": unit})
    except ValueError as error:
        raise PermanentError(str(error), code="delay_unknown") from error
