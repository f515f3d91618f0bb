"""When a rule fires, found by walking every UTC minute; shares no code with triggers.cron.

Slow and simple on purpose: it reads the fields anew for every minute and knows nothing of
calendars but what zoneinfo says about one instant.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
NAMES = {
    name: str(number)
    for names, start in (
        (("sun", "mon", "tue", "wed", "thu", "fri", "sat"), 0),
        (
            ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
            1,
        ),
    )
    for number, name in enumerate(names, start)
}


def walls(zone: ZoneInfo, start: datetime, minutes: int) -> list[tuple[datetime, datetime]]:
    """Return (UTC minute, time on the wall) for so many minutes from ``start`` (UTC) on."""
    instants = [start + number * MINUTE for number in range(minutes)]
    return [(at, at.astimezone(zone).replace(tzinfo=None)) for at in instants]


def fires(text: str, walk: list[tuple[datetime, datetime]]) -> list[datetime]:
    """Return the UTC minutes of a walk at which the rule fires."""
    if text.split()[1] == "*":
        return [at for at, wall in walk if says(text, wall)]
    found, seen, expected = [], set(), walk[0][1]
    for at, wall in walk:
        left_out = []
        while expected < wall:
            left_out.append(expected)
            expected += MINUTE
        if wall not in seen and any(says(text, one) for one in (*left_out, wall)):
            found.append(at)
        seen.add(wall)
        expected = wall + MINUTE
    return found


def says(text: str, wall: datetime) -> bool:
    """Say whether the five fields name a time on the wall."""
    minute, hour, day, month, weekday = text.lower().split()
    if not names(minute, wall.minute, 0, 59):
        return False
    weekdays = {wall.isoweekday(), wall.isoweekday() % 7}
    is_weekday = any(names(weekday, number, 0, 7) for number in weekdays)
    is_day = names(day, wall.day, 1, 31)
    both_restricted = "*" not in day and "*" not in weekday
    is_date = is_day or is_weekday if both_restricted else is_day and is_weekday
    return names(hour, wall.hour, 0, 23) and names(month, wall.month, 1, 12) and is_date


@cache
def names(field: str, number: int, low: int, high: int) -> bool:
    """Say whether a field names a number."""
    for part in field.split(","):
        span, _, step = part.partition("/")
        if span == "*":
            first, last = low, high
        else:
            ends = [int(NAMES.get(end, end)) for end in span.split("-")]
            first, last = ends[0], ends[-1] if len(ends) == 2 else high if step else ends[0]
        if first <= number <= last and (number - first) % int(step or 1) == 0:
            return True
    return False


def changes(zone: ZoneInfo, years: range) -> list[datetime]:
    """Return the UTC hours of these years in which the zone's offset changes."""
    at, end = datetime(years.start, 1, 1, tzinfo=UTC), datetime(years.stop, 1, 1, tzinfo=UTC)
    found = []
    while at < end:
        later = at + timedelta(hours=1)
        if at.astimezone(zone).utcoffset() != later.astimezone(zone).utcoffset():
            found.append(at)
        at = later
    return found
