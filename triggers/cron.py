"""Calendar rules: what a cron text says, and which UTC instants it names in a time zone.

Rules (docs/triggers/schedule.md): a rule with a fixed hour follows the clock on the wall. What falls into a
gap (spring) fires once at the first valid minute after it; what happens twice (autumn) fires the
first time only. A rule whose hour field is exactly ``*`` fires at every real-time slot. Days of
the month and weekdays, both restricted, are OR, as in crontab(5). ``L`` is the last day of the
month, ``mon#1`` its first Monday, ``friL`` its last Friday.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from leadsend.lib.errors import InvalidInput

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
# A 29 February that must be one certain weekday comes round after 40 years at the latest.
_HORIZON_DAYS = 50 * 366
_LAST = -1
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """Only each so many days, or weeks (which begin on Mondays), counted from a day on."""

    days: int
    start: date

    def is_on(self, day: date) -> bool:
        """Say whether the cycle comes round on this day. Weeks are cycles of 7, 14, … days."""
        if day < self.start:
            return False
        first = self.start
        if self.days % 7 == 0:
            first, day = _monday(first), _monday(day)
        return (day - first).days % self.days == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A parsed rule. ``days`` are days of the month, ``weekdays`` count from Sunday = 0.

    ``nth_weekdays`` are (weekday, which of the month), -1 for the last. ``is_every_hour``: the
    hour field is ``*``. ``is_either_day``: one of the two day fields is enough.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    is_every_hour: bool
    is_either_day: bool
    has_last_day: bool = False
    nth_weekdays: frozenset[tuple[int, int]] = frozenset()
    cycle: Cycle | None = None

    def is_on(self, day: date) -> bool:
        """Say whether the rule names this day."""
        if day.month not in self.months or (self.cycle and not self.cycle.is_on(day)):
            return False
        is_day, is_weekday = self._is_day(day), self._is_weekday(day)
        return is_day or is_weekday if self.is_either_day else is_day and is_weekday

    def first_day(self, day: date) -> date:
        """Return the day from which on to look: no rule with a start names one before it."""
        return max(day, self.cycle.start) if self.cycle else day

    def _is_day(self, day: date) -> bool:
        return day.day in self.days or (self.has_last_day and _is_last_week(day, timedelta(days=1)))

    def _is_weekday(self, day: date) -> bool:
        weekday = day.isoweekday() % 7
        if weekday in self.weekdays or not self.nth_weekdays:
            return weekday in self.weekdays
        is_last = (weekday, _LAST) in self.nth_weekdays and _is_last_week(day, timedelta(days=7))
        return is_last or (weekday, (day.day - 1) // 7 + 1) in self.nth_weekdays


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def parse(self, text: str) -> frozenset[int]:
        return frozenset(number for part in text.split(",") for number in self._part(part))

    def _part(self, part: str) -> range:
        span, slash, step_text = part.partition("/")
        step = self._step(step_text, part) if slash else 1
        if span == "*":
            return range(self.low, self.high + 1, step)
        first_text, dash, last_text = span.partition("-")
        first = self._number(first_text, part)
        if not dash:
            return range(first, self.high + 1 if slash else first + 1, step)
        last = self._number(last_text, part)
        if last == 0 < first and self.names == DAYS:
            last = 7  # a week may end on a Sunday: fri-sun
        if last < first:
            raise InvalidInput(
                f"In the {self.name} field “{part}” runs backwards. Write the smaller one first, "
                "or two parts with a comma."
            )
        return range(first, last + 1, step)

    def _step(self, text: str, part: str) -> int:
        if not _is_number(text) or int(text) == 0:
            raise InvalidInput(
                f"In the {self.name} field, what follows “/” in “{part}” must be a whole number "
                "above 0."
            )
        return int(text)

    def _number(self, text: str, part: str) -> int:
        if text in self.names:
            return self.names.index(text) + (self.low if self.names == MONTHS else 0)
        if not _is_number(text) or not self.low <= int(text) <= self.high:
            names = f" or one of {', '.join(self.names)}" if self.names else ""
            raise InvalidInput(
                f"In the {self.name} field “{part}” is not understood: it takes numbers from "
                f"{self.low} to {self.high}{names}, “*”, ranges (1-5), steps (*/2) and lists (1,3)."
            )
        return int(text)


_FIELDS = (
    _Field(name="minute", low=0, high=59),
    _Field(name="hour", low=0, high=23),
    _Field(name="day of month", low=1, high=31),
    _Field(name="month", low=1, high=12, names=MONTHS),
    _Field(name="weekday", low=0, high=7, names=DAYS),
)


def parse(text: str) -> Cron:
    """Return what a text of five fields says: minute, hour, day of month, month, weekday.

    Raises InvalidInput with a sentence that names the field, also for days that never come.
    """
    fields = text.lower().split()
    if len(fields) != len(_FIELDS):
        raise InvalidInput(
            "A schedule has five parts: minute, hour, day of month, month, weekday, such as "
            f"“0 9 * * mon-fri”. This one has {len(fields)}."
        )
    has_last_day, day_text = _without_last_day(fields[2])
    nth_weekdays, weekday_text = _without_nth(fields[4])
    texts = (*fields[:2], day_text, fields[3], weekday_text)
    minutes, hours, days, months, weekdays = (
        field.parse(part) if part else frozenset()
        for field, part in zip(_FIELDS, texts, strict=True)
    )
    is_either_day = "*" not in fields[2] and "*" not in fields[4]
    never = bool(days) and min(days) > max(_LONGEST[month - 1] for month in months)
    if never and not is_either_day and not has_last_day:
        raise InvalidInput(f"The day “{fields[2]}” never comes in the month “{fields[3]}”.")
    return Cron(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(day % 7 for day in weekdays),
        is_every_hour=fields[1] == "*",
        is_either_day=is_either_day,
        has_last_day=has_last_day,
        nth_weekdays=nth_weekdays,
    )


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone of a name such as ``Europe/Berlin``. Raises InvalidInput."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(
            f"The time zone “{name}” is not known. Write it as Europe/Berlin."
        ) from error


def next_tick(cron: Cron, zone: ZoneInfo, after: datetime) -> datetime:
    """Return the first instant after ``after`` (aware) that the rule names, in UTC."""
    after = after.astimezone(UTC)
    if cron.is_every_hour:
        return _next_slot(cron, zone, after)
    return _next_wall_time(cron, zone, after)


def ticks_between(cron: Cron, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the instants from ``start`` on and before ``end`` (both aware), in UTC, in order."""
    tick = next_tick(cron, zone, start - timedelta(microseconds=1))
    while tick < end:
        yield tick
        tick = next_tick(cron, zone, tick)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _is_last_week(day: date, span: timedelta) -> bool:
    return (day + span).month != day.month


def _without_last_day(text: str) -> tuple[bool, str]:
    """Take ``l`` out of a field of days."""
    parts = text.split(",")
    return "l" in parts, ",".join(part for part in parts if part != "l")


def _without_nth(text: str) -> tuple[frozenset[tuple[int, int]], str]:
    """Take what names single weekdays of the month out of a field: ``mon#2``, ``fril``."""
    plain, nth = [], set()
    for part in text.split(","):
        name, mark, which = part.partition("#")
        if not mark and part.endswith("l"):
            name, mark, which = part[:-1], "#", str(_LAST)
        if not mark:
            plain.append(part)
        elif which in {"1", "2", "3", "4", "5", str(_LAST)}:
            nth |= {(weekday % 7, int(which)) for weekday in _FIELDS[4].parse(name)}
        else:
            raise InvalidInput(
                f"In the weekday field “{part}” is not understood: mon#1 is the first Monday of a "
                "month, mon#5 the fifth, monL the last."
            )
    return frozenset(nth), ",".join(plain)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4


def _next_slot(cron: Cron, zone: ZoneInfo, after: datetime) -> datetime:
    """Walk through real time: minute by minute in days that match, by days elsewhere."""
    moment = after.replace(second=0, microsecond=0) + _MINUTE
    end = moment + timedelta(days=_HORIZON_DAYS)
    while moment < end:
        local = moment.astimezone(zone)
        if not cron.is_on(local.date()):
            moment = _later_day(moment, local, zone)
        elif local.minute not in cron.minutes:
            moment += _MINUTE
        else:
            return moment
    raise AssertionError("parse() lets no rule through that never comes")


def _later_day(moment: datetime, local: datetime, zone: ZoneInfo) -> datetime:
    """Return the start of the next local day, or the next minute on days with a clock change."""
    midnight = datetime.combine(local.date() + _DAY, time(), tzinfo=zone)
    if midnight.utcoffset() != local.utcoffset():
        return moment + _MINUTE
    return midnight.astimezone(UTC)


def _next_wall_time(cron: Cron, zone: ZoneInfo, after: datetime) -> datetime:
    """Walk through the calendar; on a day, the times on the wall are in the order of instants."""
    times = [time(hour, minute) for hour in sorted(cron.hours) for minute in sorted(cron.minutes)]
    day = cron.first_day(after.astimezone(zone).date())
    for _ in range(_HORIZON_DAYS):
        if cron.is_on(day):
            found = _first_after(day, times, after, zone)
            if found is not None:
                return found
        day += _DAY
    raise AssertionError("parse() lets no rule through that never comes")


def _first_after(day: date, times: list[time], after: datetime, zone: ZoneInfo) -> datetime | None:
    place = bisect_right(times, after, key=lambda at: _instant(day, at, zone))
    return _instant(day, times[place], zone) if place < len(times) else None


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return when the wall shows this time: the first time if twice, after the gap if never."""
    wall = datetime.combine(day, at, tzinfo=zone)
    instant = wall.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
        return instant
    return _end_of_gap(wall, zone)


def _end_of_gap(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the first minute after the gap in which a time on the wall falls."""
    # Read with the offset of after the gap it lies before the gap, and the other way round.
    before = wall.replace(fold=1).astimezone(UTC)
    minutes = range(int((wall.astimezone(UTC) - before) / _MINUTE) + 1)
    offset_after = wall.replace(fold=1).utcoffset()
    place = bisect_right(
        minutes,
        False,
        key=lambda minute: (before + minute * _MINUTE).astimezone(zone).utcoffset() == offset_after,
    )
    return before + place * _MINUTE
