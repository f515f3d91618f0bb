"""Calendar rules against the table of clock changes, an oracle, and a second opinion."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from leadsend.lib.errors import InvalidInput
from triggers.cron import next_tick, parse, ticks_between, zone_of
from triggers.tests import cron_oracle

ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Kolkata",
    "America/Santiago",
]
RULES = [
    "30 2 * * *",
    "*/15 * * * *",
    "0 * * * *",
    "5,35 1-3 * * *",
    "*/20 */2 * * *",
    "45 1 * * sun",
    "0 0 * * *",
    "59 23 * * *",
    "10 0,1 13 * fri",
    "0 0-3 */2 * mon-fri",
    "*/7 2 1-7,25-31 * 0,6",
]
# Zones that jump over whole days, or change their clocks at midnight, or by other than an hour.
ODD_ZONES = [*ZONES, "Pacific/Apia", "America/Havana", "Antarctica/Troll", "Asia/Gaza", "UTC"]


def ticks(text, zone, start, end):
    zone = zone_of(zone)
    start, end = (datetime.fromisoformat(at).replace(tzinfo=zone) for at in (start, end))
    found = ticks_between(parse(text), zone, start, end)
    return [f"{tick.astimezone(zone):%d %H:%M%z}" for tick in found]


def test_a_time_in_the_spring_gap_fires_once_at_the_first_valid_minute():
    found = ticks("30 2 * * *", "Europe/Berlin", "2027-03-27T12:00", "2027-03-29T12:00")

    assert found == ["28 03:00+0200", "29 02:30+0200"]


def test_several_times_in_one_gap_fire_once():
    found = ticks("*/15 2 * * *", "Europe/Berlin", "2027-03-28T00:00", "2027-03-28T12:00")

    assert found == ["28 03:00+0200"]


def test_a_time_that_happens_twice_fires_the_first_time():
    found = ticks("30 2 * * *", "Europe/Berlin", "2027-10-31T00:00", "2027-10-31T23:00")

    assert found == ["31 02:30+0200"]


def test_every_hour_means_every_real_hour_over_the_autumn_change():
    found = ticks("0 * * * *", "Europe/Berlin", "2027-10-30T23:00", "2027-10-31T06:00")

    assert len(found) == 8


def test_every_quarter_leaves_no_hole_over_the_autumn_change():
    found = ticks("*/15 * * * *", "Europe/Berlin", "2027-10-31T00:00", "2027-10-31T04:00")

    assert len(found) == 20


def test_every_second_hour_follows_the_clock_on_the_wall():
    found = ticks("0 */2 * * *", "Europe/Berlin", "2027-10-31T00:00", "2027-10-31T06:00")

    assert found == ["31 00:00+0200", "31 02:00+0200", "31 04:00+0100"]


def test_day_and_weekday_both_restricted_are_either_or():
    found = ticks_of_month("0 0 13 * fri", 2027, 9)

    assert [tick.day for tick in found] == [3, 10, 13, 17, 24]


def ticks_of_month(text, year, month):
    start = datetime(year, month, 1, tzinfo=UTC)
    return ticks_between(parse(text), ZoneInfo("UTC"), start, start + timedelta(days=28))


def test_day_with_a_star_and_weekday_must_both_match():
    days = [tick.day for tick in ticks_of_month("0 0 */2 * fri", 2027, 10)]

    assert days == [1, 15]


def test_the_gap_at_midnight_fires_at_one():
    found = ticks("30 0 * * *", "America/Santiago", "2027-09-04T12:00", "2027-09-06T12:00")

    assert found == ["05 01:00-0300", "06 00:30-0300"]


def test_next_tick_is_after_the_given_moment():
    nine = datetime(2027, 1, 4, 9, tzinfo=UTC)

    assert next_tick(parse("0 9 * * *"), ZoneInfo("UTC"), nine) == nine + timedelta(days=1)
    assert next_tick(parse("0 9 * * *"), ZoneInfo("UTC"), nine - timedelta(microseconds=1)) == nine


def test_a_29_february_is_waited_for():
    tick = next_tick(parse("0 0 29 2 *"), ZoneInfo("UTC"), datetime(2097, 1, 1, tzinfo=UTC))

    assert tick == datetime(2104, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("* * * *", "five parts"),
        ("60 * * * *", "minute field"),
        ("* 24 * * *", "hour field"),
        ("* * 0 * *", "day of month field"),
        ("* * * 13 *", "month field"),
        ("* * * * 8", "weekday field"),
        ("* * * * funday", "sun, mon"),
        ("5-1 * * * *", "backwards"),
        ("*/0 * * * *", "above 0"),
        ("*/ * * * *", "above 0"),
        ("1,,2 * * * *", "minute field"),
        ("-1 * * * *", "minute field"),
        ("1-2-3 * * * *", "minute field"),
        ("\u0661 * * * *", "minute field"),
        ("* * 31 2,4,6 *", "never comes"),
    ],
)
def test_what_is_wrong_is_said_with_its_field(text, said):
    with pytest.raises(InvalidInput, match=said):
        parse(text)


@pytest.mark.parametrize("name", ["", "Europe/Berlyn", "/etc/passwd", "../x", "a\0b", "E" * 300])
def test_an_unknown_time_zone_is_refused(name):
    with pytest.raises(InvalidInput, match="time zone"):
        zone_of(name)


def test_names_and_sunday_in_both_spellings_are_understood():
    assert parse("0 9 * JAN Fri-Sun") == parse("0 9 * 1 5-7")
    assert parse("0 9 * * 7") == parse("0 9 * * sun")


@pytest.mark.parametrize("zone", ZONES)
def test_equal_to_the_oracle_over_all_clock_changes(zone):
    zone = ZoneInfo(zone)
    moments = cron_oracle.changes(zone, range(2025, 2031)) or [datetime(2026, 3, 29, tzinfo=UTC)]

    for moment in moments:
        differing_rules(zone, moment - timedelta(hours=30), 60 * 56, RULES)


@given(
    zone=st.sampled_from(ODD_ZONES),
    day=st.dates(date(2005, 1, 1), date(2034, 12, 1)),
    minute=st.sampled_from(["*", "*/13", "0", "30", "7,52", "40-50/3"]),
    hour=st.sampled_from(["*", "*/2", "0", "2", "0-3", "1,23", "*/1", "3-21/6"]),
    days=st.sampled_from(["*", "*/3", "1", "13,28", "29-31", "1-31"]),
    months=st.sampled_from(["*", "3,9-11", "jan-dec/2", "*"]),
    weekdays=st.sampled_from(["*", "mon-fri", "sun", "7", "*/2", "5-7"]),
    on_change=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_equal_to_the_oracle_for_any_rule(
    zone, day, minute, hour, days, months, weekdays, on_change
):
    zone = ZoneInfo(zone)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if on_change:
        moments = cron_oracle.changes(zone, range(day.year, day.year + 1))
        start = (moments or [start])[-1] - timedelta(hours=26)

    differing_rules(zone, start, 60 * 52, [f"{minute} {hour} {days} {months} {weekdays}"])


def differing_rules(zone, start, minutes, rules):
    # The walk begins a day early, so that a gap or a repetition at its start is seen whole.
    walk = cron_oracle.walls(zone, start - timedelta(days=1), minutes + 24 * 60)
    for text in rules:
        expected = [at for at in cron_oracle.fires(text, walk) if at >= start]
        found = list(ticks_between(parse(text), zone, start, walk[-1][0] + timedelta(minutes=1)))
        assert found == expected, (text, zone.key, start)


@pytest.mark.parametrize(
    "text",
    [
        "0 9 * * mon-fri",
        "*/10 8-18 1,15 * *",
        "15 6 31 * *",
        "0 0 29 2 *",
        "30 12 13 * fri",
        "5 4 */10 3-9/2 1",
    ],
)
def test_cronsim_agrees_where_no_clock_changes(text):
    ours = ticks_between(
        parse(text),
        ZoneInfo("UTC"),
        datetime(2025, 1, 1, 0, 1, tzinfo=UTC),
        datetime(2030, 1, 1, tzinfo=UTC),
    )
    theirs = CronSim(text, datetime(2025, 1, 1, tzinfo=UTC))

    for tick in list(ours)[:500]:
        assert tick == next(theirs)
