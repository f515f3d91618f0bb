from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from leadsend.access.models import BusinessCalendar, Organisation
from leadsend.lib import clock
from runtime.calendars import KEPT_S, Calendars
from runtime.engine.tests.making import act, control
from runtime.models import ExecutionTimer
from runtime.tests.driving import drain, fresh, publish, start
from workflows.definition.business_time import NINE_TO_FIVE, WEEKDAYS

pytestmark = pytest.mark.django_db

DELAY = control("d", "delay", {"next": "business_hours"})


def known(names, calendars=None):
    connection.ensure_connection()
    return (calendars or Calendars()).known(connection.connection, names)


def test_a_delay_waits_until_the_organisation_opens():
    open_on = clock.now().date() + timedelta(days=2)
    day = WEEKDAYS[open_on.weekday()]
    BusinessCalendar.objects.create(
        key="usual", name="Usual", is_usual=True, hours={day: [["06:00", "07:00"]]}
    )
    execution = start(publish(DELAY, act("a")))

    drain()

    assert fresh(execution).status == "WAITING"
    due_at = ExecutionTimer.objects.get(pk=execution.pk).due_at
    assert (due_at.date(), due_at.hour) == (open_on, 6)


def test_the_usual_calendar_is_known_by_no_name():
    usual = BusinessCalendar.objects.create(
        key="berlin", name="Berlin", timezone="Europe/Berlin", is_usual=True
    )
    usual.holidays.create(day=date(2026, 12, 25))
    BusinessCalendar.objects.create(
        key="support", name="Support", hours={"sat": [["10:00", "24:00"]]}
    )

    found = known([""])

    assert found[""] == found["berlin"]
    assert found[""].holidays == {date(2026, 12, 25)}
    assert found["support"].hours[5] == ((timedelta(hours=10), timedelta(hours=24)),)


def test_without_a_calendar_it_is_nine_to_five_in_the_organisations_time_zone():
    Organisation.objects.create(name="Demo", timezone="Asia/Kolkata")

    found = known([""])[""]

    assert found.zone == ZoneInfo("Asia/Kolkata")
    assert [bool(hours) for hours in found.hours] == [day in NINE_TO_FIVE for day in WEEKDAYS]


def test_nothing_is_read_for_plans_that_name_none(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert known([]) == {}


def test_a_changed_calendar_is_seen_after_a_minute():
    now = [0.0]
    calendars = Calendars(monotonic=lambda: now[0])
    assert "new" not in known([""], calendars)
    BusinessCalendar.objects.create(key="new", name="New")

    assert "new" not in known([""], calendars)
    now[0] = KEPT_S + 1
    assert "new" in known([""], calendars)


def test_a_calendar_that_cannot_be_read_is_left_out():
    BusinessCalendar.objects.create(key="bad", name="Bad", hours={"mon": [["late", "later"]]})

    assert "bad" not in known([""])


@pytest.mark.parametrize(
    "hours",
    [{"monday": []}, {"mon": ["09:00"]}, {"mon": [["17:00", "09:00"]]}, {"mon": [[9, 17]]}],
)
def test_a_form_refuses_hours_that_are_none(hours):
    calendar = BusinessCalendar(key="x", name="X", hours=hours)

    with pytest.raises(ValidationError) as caught:
        calendar.full_clean()
    assert set(caught.value.message_dict) == {"hours"}
