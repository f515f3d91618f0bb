"""Rules in words: what they mean as cron, what is refused, and the words of a cron rule."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from leadsend.lib.errors import InvalidInput
from triggers import cron, rule_words, spoken_rules, timetable
from triggers.spoken_rules import Spaced

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
SAME = [
    ("every minute", "* * * * *"),
    ("every hour", "0 * * * *"),
    ("Every 15 minutes", "*/15 * * * *"),
    ("every 15 minutes on weekdays", "*/15 * * * mon-fri"),
    ("every 2 hours", "0 */2 * * *"),
    ("every 30 minutes from 8:00 to 10:00", "0,30 8,9 * * *\n0 10 * * *"),
    ("every 45 minutes from 08:00 to 10:00 on Mondays", "0,45 8 * * mon\n30 9 * * mon"),
    ("every day at 9", "0 9 * * *"),
    ("every weekday at 08:00", "0 8 * * mon-fri"),
    ("Every weekday at 8 am.", "0 8 * * 1-5"),
    ("every weekend at noon", "0 12 * * sat,sun"),
    ("every Monday and Thursday at 9:00 and 17:30", "0 9 * * mon,thu\n30 17 * * mon,thu"),
    ("every mon, wed, and fri at 5:30 pm", "30 17 * * mon,wed,fri"),
    ("every week on Tuesday at midnight", "0 0 * * tue"),
    ("every month on the 1st and the 15th at 06:00", "0 6 1,15 * *"),
    ("every month on the last day at 18:00", "0 18 L * *"),
    ("every month on the first Monday at 9:00", "0 9 * * mon#1"),
    ("every 3 months on the last friday at 9:00", "0 9 * */3 friL"),
    ("every quarter on the 1st at 7:00", "0 7 1 1,4,7,10 *"),
    ("every year on 24 December at 12:00", "0 12 24 12 *"),
    ("every year on January 1st at 0:30", "30 0 1 1 *"),
]


@pytest.mark.parametrize(("words", "rule"), SAME)
def test_words_mean_the_same_as_cron(words, rule):
    assert set(timetable.parse(words).rules) == set(timetable.parse(rule).rules)


def test_minutes_that_divide_no_hour_are_counted_in_real_time():
    assert spoken_rules.parse("every 90 minutes") == (Spaced(minutes=90),)
    assert spoken_rules.parse("every 36 hours") == (Spaced(minutes=2160),)


def ticks(text, start, end, zone="Europe/Berlin"):
    zone = cron.zone_of(zone)
    ends = [datetime.fromisoformat(at).replace(tzinfo=UTC) for at in (start, end)]
    found = timetable.ticks_between(timetable.parse(text), zone, *ends)
    return [f"{at.astimezone(zone):%m-%d %H:%M}" for at in found]


def test_a_cycle_of_weeks_starts_where_it_says():
    rule = "every 2 weeks on Wednesday at 9:00 starting 2026-03-05"

    # The week of 5 March is the first one, but its Wednesday was before the start.
    assert ticks(rule, "2026-03-01", "2026-04-20") == ["03-18 09:00", "04-01 09:00", "04-15 09:00"]


def test_a_cycle_of_days_goes_on_over_the_end_of_months_and_clock_changes():
    rule = "every 3 days at 02:30 starting 2026-03-26"

    assert ticks(rule, "2026-03-01", "2026-04-05") == [
        *("03-26 02:30", "03-29 03:00", "04-01 02:30", "04-04 02:30")
    ]


def test_a_start_far_ahead_is_found():
    rule = "every 2 days at 9:00 starting 2090-01-01"
    at = timetable.next_tick(timetable.parse(rule), cron.zone_of("UTC"), MONDAY)

    assert at == datetime(2090, 1, 1, 9, tzinfo=UTC)


def test_what_two_rules_name_comes_once():
    assert ticks(
        "every day at 9:00; every Monday at 9:00 and 10:00", "2026-03-02", "2026-03-04"
    ) == [*("03-02 09:00", "03-02 10:00", "03-03 09:00")]


def test_every_90_minutes_goes_on_evenly_over_a_clock_change():
    found = ticks("every 90 minutes", "2026-03-28T23:00", "2026-03-29T04:00")

    assert found == ["03-29 01:00", "03-29 03:30", "03-29 05:00"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Say when"),
        ("every day", "Say at what time"),
        ("every fortnight at 9", "is not understood"),
        ("every Mon and Blursday at 9:00", "is not understood"),
        ("every day at 25:00", "25:00"),
        ("every day at 13 pm", "13 pm"),
        ("every 0 minutes", "1 minute to 31 days"),
        ("every 7 minutes on weekdays", "must divide an hour"),
        ("every 5 months on the 1st at 9", "1, 2, 3, 4 or 6 months"),
        ("every 0 days at 9:00", "1 to 366 days"),
        ("every day at 9:00 starting 2026-01-01", "only every so many days"),
        ("every 2 days at 9:00 starting 2026-13-01", "is no day"),
        ("every month on the 1st and the first Monday at 9", "as two rules"),
        ("every hour from 18:00 to 8:00", "later than the first"),
        ("every month on the 32nd at 9:00", "day of month"),
        ("every year on 31 February at 9:00", "never comes"),
        ("0 9 * * mon#6", "mon#1"),
        ("0 9 * * L", "weekday"),
        (";".join(["every hour"] * 21), "up to 20"),
    ],
)
def test_what_is_wrong_is_said(text, said):
    with pytest.raises(InvalidInput, match=said) as refused:
        timetable.parse(text)

    assert refused.value.message


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("0 9 * * mon-fri", "Every weekday at 09:00"),
        ("0 9,17 * * *", "Every day at 09:00 and 17:00"),
        ("30 8 * * 1,4", "Every Monday and Thursday at 08:30"),
        ("*/10 * * * *", "Every 10 minutes"),
        ("0 */4 * * *", "Every 4 hours"),
        ("0 6 1,l * *", "Every month on the 1 and last day at 06:00"),
        ("every 2 days at 9:00", "every 2 days at 9:00"),
        ("*/7 * * * *", "*/7 * * * *"),
        ("0 0 13 * fri", "0 0 13 * fri"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_simple_rule_is_said_in_words(rule, words):
    assert rule_words.words_of(rule) == words


@given(
    minute=st.sampled_from(["*", "0", "5", "*/5", "*/7", "1-9", "0,30"]),
    hour=st.sampled_from(["*", "0", "9", "*/2", "*/5", "9,17", "8-18"]),
    day=st.sampled_from(["*", "1", "L", "1,15", "13", "1-7"]),
    month=st.sampled_from(["*", "3"]),
    weekday=st.sampled_from(["*", "mon-fri", "1,4", "0", "7", "fri#2", "sunL", "sat"]),
)
def test_words_of_a_rule_never_mean_something_else(minute, hour, day, month, weekday):
    text = f"{minute} {hour} {day} {month} {weekday}"

    assert timetable.parse(rule_words.words_of(text)) == timetable.parse(text)


@given(st.text(max_size=60).map("every {}".format))
def test_any_words_are_understood_or_refused_with_a_sentence(text):
    try:
        rules = timetable.parse(text)
    except InvalidInput as error:
        said = error.message
    else:
        said = f"{timetable.next_tick(rules, cron.zone_of('UTC'), MONDAY)}."

    assert said.endswith(".")


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ("0 9 L * *", [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31)]),
        ("0 9 * * mon#1", [date(2026, 1, 5), date(2026, 2, 2), date(2026, 3, 2)]),
        ("0 9 * * friL", [date(2026, 1, 30), date(2026, 2, 27), date(2026, 3, 27)]),
        ("0 9 15,L 2 *", [date(2026, 2, 15), date(2026, 2, 28)]),
        (
            "0 9 1 * sun#5",
            [date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1), date(2026, 3, 29)],
        ),
    ],
)
def test_last_days_and_nth_weekdays(rule, days):
    found = cron.ticks_between(
        cron.parse(rule),
        cron.zone_of("UTC"),
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 4, 1, tzinfo=UTC),
    )

    assert [at.date() for at in found] == days


def test_the_words_that_the_page_shows_are_understood():
    page = (settings.BASE_DIR / "docs" / "triggers" / "schedule.md").read_text()
    shown = [words for words in re.findall(r"`([^`\n]+)`", page) if spoken_rules.is_spoken(words)]

    assert len(shown) > 10
    for words in shown:
        assert timetable.parse(words).rules
