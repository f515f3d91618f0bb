"""What a schedule will do next, as people are shown it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from leadsend.access.models import Holiday
from triggers import cron, schedules, timetable
from triggers.models import ScheduleTrigger
from triggers.timetable import Timetable

MOST = 100
# Rules that hit holidays only must not be followed for ever.
_LOOKED_AT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """One tick to come. ``at`` is in the schedule's own time zone, with its offset.

    ``left_out`` says why it will not fire. ``is_other_offset``: between this tick and the one
    before, the clocks change.
    """

    at: datetime
    left_out: str
    is_other_offset: bool


def of_schedule(schedule: ScheduleTrigger, count: int = 10) -> list[Coming]:
    """Return the next ticks; none while the schedule is off or paused."""
    if not schedule.is_active or schedule.next_due_at is None:
        return []
    closed = holidays(schedule.calendar_key) if schedule.skips_holidays else frozenset()
    shift = schedules.shift_of(schedule.pk, schedule.jitter_s)
    before = schedule.next_due_at - shift - timedelta(microseconds=1)
    rules, zone = timetable.parse(schedule.cron), cron.zone_of(schedule.timezone)
    return of_rules(rules, zone, after=before, count=count, closed=closed, shift=shift)


def of_rules(
    rules: Timetable,
    zone: ZoneInfo,
    *,
    after: datetime,
    count: int = 10,
    closed: Collection[date] = (),
    shift: timedelta = timedelta(0),
) -> list[Coming]:
    """Return ticks until ``count`` of them will fire: those left out in between are told too."""
    found: list[Coming] = []
    offset = after.astimezone(zone).utcoffset()
    firing = 0
    for tick in islice(timetable.ticks_between(rules, zone, after, _FAR), _LOOKED_AT):
        local = (tick + shift).astimezone(zone)
        is_closed = tick.astimezone(zone).date() in closed
        found.append(
            Coming(
                at=local,
                left_out=schedules.HOLIDAY if is_closed else "",
                is_other_offset=local.utcoffset() != offset,
            )
        )
        offset, firing = local.utcoffset(), firing + (not is_closed)
        if firing >= count:
            break
    return found


def holidays(calendar_key: str) -> frozenset[date]:
    """Return the days that a calendar names; the usual one when the key is empty."""
    which = {"calendar__key": calendar_key} if calendar_key else {"calendar__is_usual": True}
    return frozenset(Holiday.objects.filter(**which).values_list("day", flat=True))


# Later than any tick that a rule must have: one a day on which 29 February is a Sunday.
_FAR = datetime(2200, 1, 1, tzinfo=ZoneInfo("UTC"))
