from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from runtime.engine.tests.driving import go
from runtime.engine.tests.making import control, make_plan, make_state
from workflows.definition.business_time import Calendar

# Monday 2 March 2026, 9:00 UTC is the moment of these runs.
OFFICE = Calendar.of(
    timezone="Europe/Berlin", hours={"mon": [["08:00", "12:00"]], "wed": [["08:00", "12:00"]]}
)


def until(cfg: dict[str, Any], *, calendars: Any = None, **more: Any) -> datetime | str:
    """Return until when a delay waits, or the code of its failure."""
    state = make_state(calendars=calendars or {"": OFFICE, "office": OFFICE})
    progress = go(make_plan(control("d", "delay", cfg), **more), state)
    [record] = progress.records
    return record.error["code"] if record.error else datetime.fromisoformat(record.output["until"])


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cfg", "expected"),
    [
        ({"business": {"for": {"value": 2, "unit": "hours"}}}, at(2, 11)),
        ({"business": {"for": {"value": 3, "unit": "hours"}}}, at(4, 8)),
        ({"business": {"for": {"value": 1, "unit": "days"}}}, at(4, 9)),
        ({"business": {"for": {"value": "{{ event.days }}", "unit": "days"}}}, at(9, 9)),
        ({"next": "weekday", "weekdays": ["tue"], "at": "10:30"}, at(3, 9, 30)),
        ({"next": "weekday"}, at(3, 8)),
        ({"next": "business_hours", "calendar": "office"}, at(2, 9)),
    ],
    ids=["hours", "hours over a night", "days", "days from the event", "tuesday", "day", "open"],
)
def test_a_delay_goes_by_the_calendar(cfg, expected):
    state = make_state(event={"days": 2}, calendars={"": OFFICE, "office": OFFICE})
    [record] = go(make_plan(control("d", "delay", cfg)), state).records

    assert record.error is None
    assert datetime.fromisoformat(record.output["until"]) == expected
    assert record.status == ("WAITING" if expected > at(2, 9) else "SUCCESS")


def test_without_any_calendar_it_is_nine_to_five():
    state = make_state()
    [record] = go(
        make_plan(control("d", "delay", {"business": {"for": {"value": 9, "unit": "hours"}}})),
        state,
    ).records

    assert datetime.fromisoformat(record.output["until"]) == at(3, 10)


@pytest.mark.parametrize(
    ("cfg", "code"),
    [
        ({"next": "business_hours", "calendar": "nowhere"}, "calendar_unknown"),
        ({"business": {"for": {"value": "{{ event.name }}", "unit": "hours"}}}, "delay_unknown"),
        ({"business": {"for": {"value": 1.5, "unit": "days"}}}, "delay_unknown"),
        ({"business": {"for": {"value": 99999, "unit": "hours"}}}, "calendar_closed"),
        ({"business": {"for": {"value": 200, "unit": "days"}}}, "delay_too_long"),
    ],
)
def test_what_cannot_be_waited_for_fails_the_step(cfg, code):
    assert until(cfg) == code


def test_a_calendar_that_is_never_open_fails_the_step():
    closed = Calendar.of(timezone="UTC", hours={})

    assert until({"next": "business_hours"}, calendars={"": closed}) == "calendar_closed"


def test_a_date_without_an_offset_is_one_in_the_workflows_time_zone():
    berlin = {"timezone": "Europe/Berlin"}

    assert until({"until": "2026-03-05"}, settings=berlin) == at(4, 23)
    assert until({"until": "2026-03-30T09:00"}, settings=berlin) == at(30, 7)
    assert until({"until": "2026-03-05T09:00"}) == at(5, 9)


def test_a_plan_names_the_calendars_that_it_needs():
    plan = make_plan(
        control("a", "delay", {"next": "business_hours"}),
        control("b", "delay", {"next": "weekday", "calendar": "office"}),
        control("c", "delay", {"for": {"value": 1, "unit": "days"}}),
    )

    assert plan.calendars == {"", "office"}
