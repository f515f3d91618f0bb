"""Schedules as people handle them: pauses, firing by hand, holidays, spread, overlap, mirrors."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django_celery_beat.models import PeriodicTask

from leadsend.access.models import AuditEntry, BusinessCalendar, Holiday
from leadsend.lib import ids
from leadsend.lib.errors import Conflict, InvalidInput
from leadsend.testing.dispatching import dispatch_all
from leadsend.testing.engine import drain
from runtime.models import Execution
from triggers import (
    coming_ticks,
    cron,
    replaying,
    schedules,
    scheduling,
    subscribing,
    timetable,
)
from triggers.models import ScheduleTick, ScheduleTrigger, TriggerEvent
from triggers.tests.making import on_connections
from workflows.models import Workflow

ALWAYS = "* * * * *"


@pytest.fixture
def scheduled(make_workflow):
    """Return a function that publishes a workflow with a schedule, and returns the schedule."""

    def make(**cfg):
        settings = cfg.pop("settings", {})
        make_workflow(
            {"trigger_key": "schedule", "cfg": {"cron": ALWAYS, **cfg}}, settings=settings
        )
        return ScheduleTrigger.objects.select_related("workflow").get()

    return make


def be_due(schedule, minutes=0):
    """Let a tick have been due so many whole minutes ago, and return its time."""
    at = scheduling.database_now().replace(second=0, microsecond=0) - timedelta(minutes=minutes)
    shift = schedules.shift_of(schedule.pk, schedule.jitter_s)
    ScheduleTrigger.objects.filter(pk=schedule.pk).update(next_due_at=at + shift)
    return at


@pytest.mark.django_db(transaction=True)
def test_a_paused_schedule_fires_nothing_and_makes_up_for_nothing(scheduled, dev):
    schedule = scheduled(missed="all")
    be_due(schedule, minutes=5)

    scheduling.pause(schedule, user=dev)
    scheduling.pause(schedule, user=dev)
    assert on_connections(schedules.pump) == [0]
    assert schedule.paused_at is not None
    assert schedule.next_due_at is None

    scheduling.resume(schedule, user=dev)
    scheduling.resume(schedule, user=dev)
    assert ScheduleTrigger.objects.filter(next_due_at__gt=scheduling.database_now()).exists()
    assert not ScheduleTick.objects.exists()
    acts = AuditEntry.objects.filter(act__startswith="schedule.").values_list("act", flat=True)
    assert sorted(acts) == ["schedule.pause", "schedule.resume"]


def test_a_new_version_leaves_a_paused_schedule_paused(scheduled):
    schedule = scheduled()
    scheduling.pause(schedule, user=None)

    scheduling.keep(schedule.workflow, schedule.trigger_id, {"cron": "every 5 minutes"})

    schedule.refresh_from_db()
    assert schedule.cron == "every 5 minutes"
    assert schedule.next_due_at is None


def test_firing_by_hand_starts_the_workflow_and_leaves_the_next_tick(scheduled, dev):
    schedule = scheduled(cron="0 9 1 1 *")
    scheduling.pause(schedule, user=dev)

    accepted = scheduling.fire_now(schedule, user=dev)
    dispatch_all()

    event = TriggerEvent.objects.get(pk=accepted.event_id)
    assert event.data["by_hand"] is True
    assert event.data["schedule_id"] == str(schedule.pk)
    assert Execution.objects.get().trigger_event_id == event.pk
    assert AuditEntry.objects.filter(act="schedule.fire").count() == 1


def test_a_schedule_that_was_taken_out_cannot_be_fired(scheduled):
    schedule = scheduled()
    subscribing.retire(schedule.workflow)
    schedule.refresh_from_db()

    with pytest.raises(Conflict, match="publish it first"):
        scheduling.fire_now(schedule, user=None)
    assert not TriggerEvent.objects.exists()


@pytest.fixture
def closed_today():
    """The usual calendar with a holiday yesterday, today and tomorrow; another one without."""
    BusinessCalendar.objects.filter(is_usual=True).update(is_usual=False)
    usual = BusinessCalendar.objects.create(key="head-office", name="Head office", is_usual=True)
    BusinessCalendar.objects.create(key="factory", name="Factory")
    today = scheduling.database_now().date()
    for days in (-1, 0, 1):
        Holiday.objects.create(calendar=usual, day=today + timedelta(days=days))


@pytest.mark.django_db(transaction=True)
def test_a_holiday_is_left_out_with_its_reason(scheduled, closed_today):
    schedule = scheduled(skip_holidays=True)
    at = be_due(schedule)

    assert on_connections(schedules.pump) == [0]

    tick = ScheduleTick.objects.get(tick_at=at)
    assert (tick.skipped_because, tick.event_id) == ("a holiday", None)


@pytest.mark.django_db(transaction=True)
def test_the_holidays_of_another_calendar_do_not_count(scheduled, closed_today):
    schedule = scheduled(skip_holidays=True, calendar="factory")
    be_due(schedule)

    assert on_connections(schedules.pump)[0] >= 1


def test_holidays_are_no_missed_times():
    day = datetime(2026, 12, 25, 9, 0, tzinfo=UTC)
    planned = schedules.plan(
        timetable.parse("every day at 9:00"),
        cron.zone_of("UTC"),
        "latest",
        day - timedelta(days=1),
        day + timedelta(hours=2),
        {date(2026, 12, 25)},
    )

    assert planned.fire == (day - timedelta(days=1),)
    assert planned.left_out == ((day, "a holiday"),)


def test_a_calendar_that_does_not_exist_is_refused(scheduled):
    with pytest.raises(InvalidInput, match="no calendar “moon”"):
        scheduled(skip_holidays=True, calendar="moon")
    assert not ScheduleTrigger.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_spread_schedule_fires_later_by_its_own_span_and_tells_its_time(scheduled):
    schedule = scheduled(jitter_s=50, missed="all")
    shift = schedules.shift_of(schedule.pk, 50)
    at = be_due(schedule, minutes=1)

    on_connections(schedules.pump)

    schedule.refresh_from_db()
    assert timedelta(0) <= shift <= timedelta(seconds=50)
    assert at.isoformat() in {event.data["due_at"] for event in TriggerEvent.objects.all()}
    assert (schedule.next_due_at - shift).second == 0
    assert schedule.next_due_at > scheduling.database_now()


def test_spans_of_many_schedules_fill_the_whole_window():
    spans = {schedules.shift_of(ids.uuid7(), 9).seconds for _ in range(500)}

    assert spans == set(range(10))


def fire_twice(schedule):
    for _ in range(2):
        scheduling.fire_now(schedule, user=None)
        dispatch_all()
    return list(Execution.objects.order_by("created_at", "id").values_list("status", flat=True))


@pytest.mark.usefixtures("ids_in_order")
@pytest.mark.parametrize(
    ("overlap", "statuses"),
    [
        ("allow", ["PENDING", "PENDING"]),
        ("queue", ["PENDING", "WAITING"]),
        ("drop_new", ["PENDING"]),
        ("coalesce", ["PENDING", "WAITING"]),
    ],
)
def test_what_happens_when_the_run_before_is_not_over(scheduled, overlap, statuses):
    assert fire_twice(scheduled(overlap=overlap)) == statuses


@pytest.mark.usefixtures("ids_in_order")
def test_the_earlier_run_is_cancelled_where_the_schedule_says_so(scheduled):
    fire_twice(scheduled(overlap="cancel_old"))

    asked = Execution.objects.order_by("created_at", "id").values_list("cancel_requested_at")
    assert [row[0] is not None for row in asked] == [True, False]


@pytest.mark.usefixtures("ids_in_order")
def test_a_run_that_waited_begins_when_the_one_before_is_over(scheduled):
    fire_twice(scheduled(overlap="queue"))
    connection.ensure_connection()

    drain()

    assert {row.status for row in Execution.objects.all()} == {"SUCCESS"}


def test_a_run_by_hand_of_the_workflow_itself_does_not_stand_in_the_line(scheduled):
    schedule = scheduled(overlap="drop_new")
    fire_twice(schedule)

    workflow = Workflow.objects.with_live_version().get()
    replaying.start(workflow, user=None, data={}, trigger_type="manual", idempotency_key=None)
    dispatch_all()

    assert Execution.objects.count() == 2


def test_two_rules_for_overlap_are_refused(scheduled):
    with pytest.raises(InvalidInput, match="start anyway") as refused:
        scheduled(overlap="queue", settings={"concurrency": {"key": "all"}})

    assert refused.value.problems[0].path.endswith("/cfg/overlap")
    assert not ScheduleTrigger.objects.exists()


def test_beat_shows_a_mirror_that_fires_nothing(scheduled):
    schedule = scheduled(cron="0 9 * * mon-fri; every day at 17:30", timezone="Europe/Berlin")
    mirror = PeriodicTask.objects.get(name__contains=str(schedule.pk))

    assert mirror.enabled is False
    assert str(mirror.crontab.timezone) == "Europe/Berlin"
    assert (mirror.crontab.minute, mirror.crontab.hour) == ("0", "9")
    assert mirror.crontab.day_of_week == "mon-fri"
    assert "which is on" in mirror.description
    assert "every day at 17:30" in mirror.description

    scheduling.pause(schedule, user=None)
    mirror.refresh_from_db()
    assert "which is paused" in mirror.description

    subscribing.retire(schedule.workflow)
    assert not PeriodicTask.objects.filter(pk=mirror.pk).exists()


def coming(schedule):
    return [
        (f"{tick.at:%m-%d %H:%M%z}", tick.left_out, tick.is_other_offset)
        for tick in coming_ticks.of_schedule(schedule, 3)
    ]


def test_coming_ticks_are_told_with_offset_clock_change_and_holidays(scheduled, closed_today):
    schedule = scheduled(cron="every day at 2:30", timezone="Europe/Berlin", skip_holidays=True)
    Holiday.objects.create(calendar=BusinessCalendar.objects.get(is_usual=True), day="2027-03-29")
    schedule.next_due_at = datetime(2027, 3, 27, 1, 30, tzinfo=UTC)

    assert coming(schedule) == [
        ("03-27 02:30+0100", "", False),
        ("03-28 03:00+0200", "", True),
        ("03-29 02:30+0200", "a holiday", False),
        ("03-30 02:30+0200", "", False),
    ]


def test_nothing_is_to_come_of_a_paused_schedule(scheduled):
    schedule = scheduled()
    scheduling.pause(schedule, user=None)

    assert coming(schedule) == []


def test_a_rule_that_meets_holidays_only_is_not_followed_for_ever(scheduled):
    schedule = scheduled(cron="every year on 25 December at 9:00")
    rules, zone = timetable.parse(schedule.cron), cron.zone_of("UTC")
    closed = {date(year, 12, 25) for year in range(2020, 2200)}

    found = coming_ticks.of_rules(rules, zone, after=schedule.next_due_at, closed=closed)

    assert 100 < len(found) <= 200
    assert all(tick.left_out for tick in found)


@pytest.mark.django_db(transaction=True)
def test_a_time_that_came_before_the_rule_was_changed_fires_by_the_old_rule(scheduled):
    schedule = scheduled()
    at = be_due(schedule)

    scheduling.keep(schedule.workflow, schedule.trigger_id, {"cron": "every hour"})
    on_connections(schedules.pump)

    tick = ScheduleTick.objects.get(tick_at=at)
    event = TriggerEvent.objects.get(pk=str(tick.event_id))
    assert event.data["due_at"] == at.isoformat()
    schedule.refresh_from_db()
    assert schedule.next_due_at.minute == 0


@pytest.mark.django_db(transaction=True)
def test_what_a_pump_fired_before_is_not_fired_by_a_change(scheduled):
    schedule = scheduled()
    at = be_due(schedule)
    on_connections(schedules.pump)
    ScheduleTrigger.objects.filter(pk=schedule.pk).update(next_due_at=at)

    scheduling.keep(schedule.workflow, schedule.trigger_id, {"cron": "every hour"})

    assert ScheduleTick.objects.filter(tick_at=at).count() == 1
    assert TriggerEvent.objects.filter(data__due_at=at.isoformat()).count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_change_after_a_downtime_records_what_was_left_out(scheduled):
    schedule = scheduled(missed="skip")
    be_due(schedule, minutes=30)

    scheduling.keep(schedule.workflow, schedule.trigger_id, {"cron": "every hour"})

    assert ScheduleTick.objects.exclude(skipped_because="").count() >= 29
