"""Business hours, beside an oracle that looks at the clock on the wall minute by minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workflows.definition.business_time import (
    NINE_TO_FIVE,
    USUAL,
    WEEKDAYS,
    Calendar,
    after_open_days,
    after_open_hours,
    next_open,
    next_weekday,
)

MINUTE = timedelta(minutes=1)
# Clock changes: by an hour, at midnight, by half an hour, none; both halves of the earth.
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kolkata"]
CHANGES = [
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
    datetime(2026, 4, 23, 22, tzinfo=UTC),
    datetime(2026, 10, 29, 21, tzinfo=UTC),
]


def is_open(calendar: Calendar, moment: datetime) -> bool:
    """Say what the clock on the wall says."""
    local = moment.astimezone(calendar.zone)
    since = timedelta(hours=local.hour, minutes=local.minute)
    hours = calendar.hours[local.weekday()]
    return local.date() not in calendar.holidays and any(a <= since < b for a, b in hours)


def slow_open_hours(calendar: Calendar, moment: datetime, minutes: int) -> datetime | None:
    for _ in range(12 * 24 * 60):
        if is_open(calendar, moment):
            if minutes == 0:
                return moment
            minutes -= 1
            if minutes == 0:
                return moment + MINUTE
        moment += MINUTE
    return None


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    bounds = st.lists(st.integers(0, 48), min_size=2, max_size=4, unique=True).map(sorted)
    hours = {}
    for day in draw(st.lists(st.sampled_from(WEEKDAYS), min_size=1, unique=True)):
        found = draw(bounds)
        hours[day] = [[_clock(a), _clock(b)] for a, b in zip(found[::2], found[1::2], strict=False)]
    days = st.builds(
        lambda change, n: change.date() + timedelta(n), st.sampled_from(CHANGES), st.integers(-5, 5)
    )
    holidays = draw(st.lists(days, max_size=3))
    return Calendar.of(timezone=draw(st.sampled_from(ZONES)), hours=hours, holidays=holidays)


def _clock(half_hours: int) -> str:
    return f"{half_hours // 2:02}:{half_hours % 2 * 30:02}"


moments = st.builds(
    lambda change, minutes: change + minutes * MINUTE,
    st.sampled_from(CHANGES),
    st.integers(-3 * 24 * 60, 2 * 24 * 60),
)
AT_NIGHT = Calendar.of(
    timezone="Europe/Berlin", hours={day: [["01:30", "02:30"]] for day in WEEKDAYS}
)


@settings(max_examples=60)
@given(calendar=calendars(), moment=moments, minutes=st.integers(0, 900))
@example(calendar=AT_NIGHT, moment=datetime(2026, 10, 24, 20, tzinfo=UTC), minutes=90)
@example(calendar=AT_NIGHT, moment=datetime(2026, 3, 28, 20, tzinfo=UTC), minutes=45)
def test_open_time_is_what_the_clock_on_the_wall_says(calendar, moment, minutes):
    found = after_open_hours(calendar, moment, minutes * MINUTE)

    slow = slow_open_hours(calendar, moment, minutes)
    if slow is None:
        assert found is None or found > moment + timedelta(days=11)
    else:
        assert found == slow


@settings(max_examples=60)
@given(calendar=calendars(), moment=moments, days=st.integers(1, 4))
def test_open_days_skip_closed_ones_and_end_when_it_is_open(calendar, moment, days):
    found = after_open_days(calendar, moment, days)

    if found is not None:
        assert is_open(calendar, found)
        local = moment.astimezone(calendar.zone).date()
        until = found.astimezone(calendar.zone).date()
        between = [local + timedelta(n) for n in range(1, (until - local).days + 1)]
        assert sum(calendar.is_open_on(day) for day in between) >= days


@settings(max_examples=60)
@given(
    calendar=calendars(),
    moment=moments,
    weekdays=st.lists(st.sampled_from(WEEKDAYS), min_size=1, unique=True),
    half_hours=st.integers(0, 47),
)
def test_the_next_weekday_is_the_first_that_the_wall_shows(calendar, moment, weekdays, half_hours):
    at = time.fromisoformat(_clock(half_hours))
    found = next_weekday(calendar, moment, weekdays, at)

    assert found is not None
    local = found.astimezone(calendar.zone)
    assert WEEKDAYS[local.weekday()] in weekdays
    assert local.date() not in calendar.holidays
    # A time that a clock change leaves out is as much later; otherwise it is exactly that.
    assert local.time() >= at
    first = moment.astimezone(calendar.zone).date()
    for ahead in range((local.date() - first).days):
        day = first + timedelta(ahead)
        is_named = WEEKDAYS[day.weekday()] in weekdays and day not in calendar.holidays
        passed = datetime.combine(day, at, tzinfo=calendar.zone) <= moment
        assert not is_named or passed


def test_a_weekend_and_a_holiday_are_left_out():
    easter = [date(2026, 4, 3), date(2026, 4, 6)]
    calendar = Calendar.of(timezone="Europe/Berlin", hours=NINE_TO_FIVE, holidays=easter)
    thursday = datetime(2026, 4, 2, 16, tzinfo=ZoneInfo("Europe/Berlin"))

    def said(moment: datetime | None) -> str:
        assert moment is not None
        return f"{moment.astimezone(calendar.zone):%a %d %H:%M}"

    assert said(after_open_hours(calendar, thursday, timedelta(hours=2))) == "Tue 07 10:00"
    assert said(after_open_hours(calendar, thursday, timedelta(hours=1))) == "Thu 02 17:00"
    assert said(after_open_days(calendar, thursday, 1)) == "Tue 07 16:00"
    assert said(after_open_days(calendar, thursday.replace(hour=20), 1)) == "Wed 08 09:00"
    assert said(next_open(calendar, thursday.replace(hour=17))) == "Tue 07 09:00"
    assert said(next_weekday(calendar, thursday, ["mon", "fri"])) == "Fri 10 09:00"


def test_eight_open_hours_are_a_day_also_when_the_clocks_change():
    calendar = Calendar.of(
        timezone="Europe/Berlin", hours={day: [["09:00", "17:00"]] for day in WEEKDAYS}
    )
    saturday = datetime(2026, 3, 28, 12, tzinfo=ZoneInfo("Europe/Berlin"))

    found = after_open_hours(calendar, saturday, timedelta(hours=8))

    assert found == datetime(2026, 3, 29, 12, tzinfo=ZoneInfo("Europe/Berlin"))


def test_a_day_may_end_at_midnight():
    calendar = Calendar.of(timezone="UTC", hours={"mon": [["00:00", "24:00"]]})
    monday = datetime(2026, 3, 2, tzinfo=UTC)

    assert after_open_hours(calendar, monday, timedelta(hours=24)) == monday + timedelta(days=1)


def test_a_calendar_that_is_never_open_ends_nothing():
    calendar = Calendar.of(timezone="UTC", hours={})
    now = datetime(2026, 3, 2, tzinfo=UTC)

    assert next_open(calendar, now) is None
    assert after_open_hours(calendar, now, timedelta(hours=1)) is None
    assert after_open_days(calendar, now, 1) is None


@pytest.mark.parametrize(
    "hours", [[["17:00", "09:00"]], [["9 o'clock", "17:00"]], [["09:00+01:00", "17:00"]]]
)
def test_hours_that_are_none_are_refused(hours):
    with pytest.raises(ValueError, match=r".+"):
        Calendar.of(timezone="UTC", hours={"mon": hours})


def test_the_usual_calendar_is_nine_to_five_on_working_days():
    assert next_open(USUAL, datetime(2026, 3, 7, 12, tzinfo=UTC)) == datetime(
        2026, 3, 9, 9, tzinfo=UTC
    )
