"""Business hours: when it is open, and which moment comes so many open hours or days later.

Open is what the clock on the wall says: a time of day on a weekday that is no holiday, in the
calendar's time zone. So an hour that a clock change repeats counts twice, and one that it leaves
out does not count. All moments are aware; results are UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WORKING_DAYS: Final = WEEKDAYS[:5]
NINE: Final = time(9)
_DAY: Final = timedelta(days=1)
_HORIZON_DAYS: Final = 800  # longer than any delay; a calendar that is never open must not loop
Hours = tuple[timedelta, timedelta]  # since midnight on the wall, the end not included
Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """When an organisation is open. ``hours`` has one entry for each weekday from Monday."""

    zone: ZoneInfo
    hours: tuple[tuple[Hours, ...], ...]
    holidays: frozenset[date] = frozenset()

    @classmethod
    def of(
        cls,
        *,
        timezone: str,
        hours: Mapping[str, Sequence[Sequence[str]]],
        holidays: Sequence[date] = (),
    ) -> Self:
        """Return the calendar of ``{"mon": [["09:00", "17:00"], …]}``; "24:00" ends a day.

        Raises ValueError for what is no time or time zone, and for hours that end before they
        begin; KeyError (of zoneinfo) for a time zone that does not exist.
        """
        return cls(
            zone=ZoneInfo(timezone),
            hours=tuple(tuple(_hours(pair) for pair in hours.get(day, ())) for day in WEEKDAYS),
            holidays=frozenset(holidays),
        )

    def is_open_on(self, day: date) -> bool:
        """Say whether the day has open hours at all."""
        return day not in self.holidays and bool(self.hours[day.weekday()])


NINE_TO_FIVE: Final[Mapping[str, Sequence[Sequence[str]]]] = {
    day: [["09:00", "17:00"]] for day in WORKING_DAYS
}


def next_open(calendar: Calendar, moment: datetime) -> datetime | None:
    """Return the first open moment from ``moment`` on; None when it is never open again."""
    for start, end in _spans_from(calendar, moment):
        if end > moment:
            return max(start, moment.astimezone(UTC))
    return None


def after_open_hours(calendar: Calendar, moment: datetime, wait: timedelta) -> datetime | None:
    """Return when ``wait`` of open time has passed since ``moment``; None when it never has.

    What ends exactly when it closes ends then, not at the next opening.
    """
    if wait <= timedelta():
        return next_open(calendar, moment)
    left = wait
    for start, end in _spans_from(calendar, moment):
        begin = max(start, moment.astimezone(UTC))
        if end - begin >= left:
            return begin + left
        left -= max(end - begin, timedelta())
    return None


def after_open_days(calendar: Calendar, moment: datetime, days: int) -> datetime | None:
    """Return the same time of day so many open days later, moved to when it is open.

    Days that are closed all day do not count. A time at which that day is closed becomes its next
    opening. None when there are not so many open days ahead.
    """
    local = moment.astimezone(calendar.zone)
    day, left = local.date(), days
    for _ in range(_HORIZON_DAYS):
        if left == 0:
            return next_open(calendar, _at(calendar.zone, day, local.time()))
        day += _DAY
        left -= calendar.is_open_on(day)
    return None


def next_weekday(
    calendar: Calendar, moment: datetime, weekdays: Sequence[str], at: time = NINE
) -> datetime | None:
    """Return the first such weekday after ``moment`` at this time of day, holidays left out."""
    wanted = {WEEKDAYS.index(day) for day in weekdays}
    day = moment.astimezone(calendar.zone).date()
    for ahead in range(_HORIZON_DAYS):
        candidate = day + ahead * _DAY
        if candidate.weekday() in wanted and candidate not in calendar.holidays:
            found = _at(calendar.zone, candidate, at)
            if found > moment:
                return found
    return None


def time_of_day(text: str) -> timedelta:
    """Return the time since midnight of "09:30"; "24:00" is the end of the day.

    Raises ValueError for anything else.
    """
    if text == "24:00":
        return _DAY
    found = time.fromisoformat(text)
    if found.tzinfo is not None:
        raise ValueError(f"A time of day has no time zone: {text}.")
    return timedelta(hours=found.hour, minutes=found.minute, seconds=found.second)


def is_weekday_list(value: Any) -> bool:
    """Say whether a value is a list of weekdays that names at least one."""
    return isinstance(value, list) and bool(value) and all(day in WEEKDAYS for day in value)


def _hours(pair: Sequence[str]) -> Hours:
    start, end = (time_of_day(text) for text in pair)
    if start >= end:
        raise ValueError(f"Business hours end after they begin, not {pair[0]} to {pair[1]}.")
    return start, end


def _at(zone: ZoneInfo, day: date, at: time) -> datetime:
    """Return a moment on the wall; one that a clock change leaves out is as much later."""
    return datetime.combine(day, at.replace(tzinfo=None, fold=0), tzinfo=zone).astimezone(UTC)


def _spans_from(calendar: Calendar, moment: datetime) -> Iterator[Span]:
    day = moment.astimezone(calendar.zone).date()
    for ahead in range(_HORIZON_DAYS):
        yield from _spans(calendar, day + ahead * _DAY)


def _spans(calendar: Calendar, day: date) -> list[Span]:
    """Return when it is open on a day, in order, cut where the clocks change."""
    if not calendar.is_open_on(day):
        return []
    midnight = datetime.combine(day, time(), tzinfo=UTC)
    found = [
        (max(start, midnight + opens - offset), min(end, midnight + closes - offset))
        for start, end, offset in _stretches(calendar.zone, day)
        for opens, closes in calendar.hours[day.weekday()]
    ]
    return _merged(sorted((start, end) for start, end in found if start < end))


def _stretches(zone: ZoneInfo, day: date) -> list[tuple[datetime, datetime, timedelta]]:
    """Return the parts of a local day in which the clocks do not change: start, end, offset."""
    start, end = _at(zone, day, time()), _at(zone, day + _DAY, time())
    if start >= end:
        return []
    before, after = _offset(zone, start), _offset(zone, end - timedelta(microseconds=1))
    if before == after:
        return [(start, end, before)]
    change = _change(zone, start, end)
    return [(start, change, before), (change, end, after)]


def _change(zone: ZoneInfo, start: datetime, end: datetime) -> datetime:
    """Return the moment at which the clocks change, to the second."""
    low, high, before = 0, int((end - start).total_seconds()), _offset(zone, start)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, start + timedelta(seconds=middle)) == before:
            low = middle
        else:
            high = middle
    return start + timedelta(seconds=high)


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _merged(spans: list[Span]) -> list[Span]:
    """Join spans that overlap or touch, so that no open time counts twice."""
    merged: list[Span] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


USUAL: Final = Calendar.of(timezone="UTC", hours=NINE_TO_FIVE)
