"""Schedules: which ticks fire, which are left out, and that none fires twice."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connections
from hypothesis import given
from hypothesis import strategies as st

from leadsend.lib.errors import InvalidInput
from triggers import schedules, scheduling, timetable
from triggers.models import InboxEntry, MissedPolicy, ScheduleTick, ScheduleTrigger, TriggerEvent
from triggers.tests.making import make_workflow, on_connections

UTC_ZONE = ZoneInfo("UTC")
NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
HOURS = timedelta(hours=1)


def plan(policy, *, since, now=NOON, rule="0 * * * *"):
    return schedules.plan(timetable.parse(rule), UTC_ZONE, policy, since, now)


def test_a_tick_within_the_grace_fires_whatever_the_policy():
    for policy in MissedPolicy.values:
        planned = plan(policy, since=NOON, now=NOON + timedelta(seconds=59))

        assert planned.fire == (NOON,)
        assert planned.left_out == ()
        assert planned.next_due_at == NOON + HOURS


@pytest.mark.parametrize(("policy", "fired"), [("skip", 0), ("latest", 1), ("all", 3)])
def test_three_hours_of_downtime(policy, fired):
    planned = plan(policy, since=NOON - 3 * HOURS, now=NOON - timedelta(minutes=10))

    assert len(planned.fire) == fired
    assert planned.fire == tuple(NOON - (fired - place) * HOURS for place in range(fired))
    assert len(planned.left_out) == 3 - fired
    assert all(reason for _, reason in planned.left_out)


def test_latest_fires_one_when_a_fresh_tick_fires_anyway():
    planned = plan("latest", since=NOON - 3 * HOURS, now=NOON)

    assert planned.fire == (NOON,)
    assert len(planned.left_out) == 3


def test_all_is_capped_and_says_so():
    planned = plan("all", since=NOON - timedelta(hours=3), rule="* * * * *", now=NOON)

    assert len(planned.fire) == 100 + 2
    assert len(planned.left_out) == 181 - 102
    assert "last 100" in planned.left_out[0][1]


def test_a_very_long_downtime_is_worked_off_in_passes():
    due_at = NOON - timedelta(minutes=10_050)
    first = plan("latest", since=due_at, rule="* * * * *")
    second = plan("latest", since=first.next_due_at, rule="* * * * *")

    assert first.fire == ()
    assert len(first.left_out) == 10_000
    assert second.fire == (NOON - timedelta(minutes=1), NOON)
    assert second.next_due_at == NOON + timedelta(minutes=1)


@given(
    policy=st.sampled_from(MissedPolicy.values),
    rule=st.sampled_from(["* * * * *", "*/7 * * * *", "0 9 * * *", "30 2 * * mon"]),
    down=st.timedeltas(timedelta(0), timedelta(days=5)),
    late=st.timedeltas(timedelta(0), timedelta(hours=2)),
)
def test_every_due_tick_is_either_fired_or_left_out(policy, rule, down, late):
    parsed = timetable.parse(rule)
    due_at = timetable.next_tick(parsed, UTC_ZONE, NOON - down)
    now = NOON + late
    planned = schedules.plan(parsed, UTC_ZONE, policy, due_at, now)

    both = sorted((*planned.fire, *(at for at, _ in planned.left_out)))
    assert both == [
        *timetable.ticks_between(parsed, UTC_ZONE, due_at, now + timedelta(microseconds=1))
    ]
    assert planned.next_due_at > now


@pytest.fixture
def workflow(db):
    return make_workflow(timezone="Europe/Berlin")


def keep(workflow, **cfg):
    return scheduling.keep(workflow, "every", {"cron": "0 9 * * *", **cfg})


def test_keep_takes_the_time_zone_of_the_workflow(workflow):
    schedule = keep(workflow)

    assert schedule.timezone == "Europe/Berlin"
    assert schedule.next_due_at > scheduling.database_now()
    assert schedule.missed_policy == "latest"


def test_an_unchanged_schedule_keeps_its_next_tick(workflow):
    due_at = scheduling.database_now() - HOURS
    keep(workflow)
    ScheduleTrigger.objects.update(next_due_at=due_at)

    assert keep(workflow, missed="all").next_due_at == due_at


def test_a_changed_rule_counts_from_now(workflow):
    keep(workflow)
    ScheduleTrigger.objects.update(next_due_at=scheduling.database_now() - HOURS)

    assert keep(workflow, cron="5 9 * * *").next_due_at > scheduling.database_now()


def test_switching_off_and_on_again_misses_nothing(workflow):
    keep(workflow)
    scheduling.drop(workflow, "every")
    off = ScheduleTrigger.objects.get()

    assert not off.is_active
    assert off.next_due_at is None
    assert keep(workflow).next_due_at > scheduling.database_now()


@pytest.mark.parametrize("cfg", [{"cron": "0 25 * * *"}, {"timezone": "Mars/Base"}])
def test_a_wrong_rule_is_refused_with_a_problem(workflow, cfg):
    with pytest.raises(InvalidInput) as refused:
        keep(workflow, **cfg)

    assert refused.value.problems[0].path == "/triggers/every"
    assert not ScheduleTrigger.objects.exists()


def make_due(count=1, *, rule="* * * * *", missed="latest", minutes=0):
    """Make schedules whose next tick was due so many whole minutes ago."""
    minute = scheduling.database_now().replace(second=0, microsecond=0)
    workflow = make_workflow()
    for number in range(count):
        scheduling.keep(workflow, f"t{number}", {"cron": rule, "missed": missed})
    ScheduleTrigger.objects.update(next_due_at=minute - timedelta(minutes=minutes))
    return minute


@pytest.mark.django_db(transaction=True)
def test_a_due_tick_becomes_event_and_inbox_row():
    minute = make_due()

    assert on_connections(schedules.pump) == [1]

    schedule, event = ScheduleTrigger.objects.get(), TriggerEvent.objects.get()
    assert event.source == f"schedule:{schedule.pk}"
    assert (event.trigger_key, event.trigger_type) == ("schedule", "schedule")
    assert event.data == {"due_at": minute.isoformat(), "schedule_id": str(schedule.pk)}
    assert InboxEntry.objects.get().event_id == event.pk
    assert ScheduleTick.objects.get().event_id == event.pk
    assert schedule.next_due_at > minute
    assert schedule.last_due_at == minute


@pytest.mark.django_db(transaction=True)
def test_many_pumps_at_once_fire_each_tick_once():
    make_due(40, missed="all", minutes=5)

    counts = on_connections(*[schedules.pump] * 8)

    assert sum(counts) == TriggerEvent.objects.count() == InboxEntry.objects.count()
    assert sum(counts) in {40 * 6, 40 * 7}


@pytest.mark.django_db(transaction=True)
def test_a_clock_set_back_repeats_no_tick():
    make_due(missed="all", minutes=3)
    on_connections(schedules.pump)
    before = TriggerEvent.objects.count()
    ScheduleTrigger.objects.update(next_due_at=scheduling.database_now() - timedelta(minutes=4))

    fired = on_connections(schedules.pump)

    assert before == 4
    assert fired[0] == TriggerEvent.objects.count() - before <= 2


@pytest.mark.django_db(transaction=True)
def test_editing_and_switching_while_others_pump_fires_no_tick_twice():
    make_due(6, missed="all", minutes=8)
    rows = list(ScheduleTrigger.objects.select_related("workflow"))

    def edit(seed):
        chance = random.Random(seed)  # noqa: S311 - no secret
        for _ in range(15):
            row = chance.choice(rows)
            if chance.random() < 0.3:
                scheduling.drop(row.workflow, row.trigger_id)
            else:
                rule = chance.choice(["* * * * *", "*/2 * * * *", "1-59/2 * * * *"])
                scheduling.keep(row.workflow, row.trigger_id, {"cron": rule, "missed": "all"})
            # As if time had passed: ticks of the last minutes are due again.
            late = scheduling.database_now() - timedelta(minutes=chance.randint(0, 8))
            ScheduleTrigger.objects.filter(pk=row.pk, is_active=True).update(next_due_at=late)
        connections.close_all()

    with ThreadPoolExecutor(3) as pool:
        editing = [pool.submit(edit, seed) for seed in range(3)]
        while not all(one.done() for one in editing):
            on_connections(schedules.pump, schedules.pump)
        for one in editing:
            one.result()
    on_connections(schedules.pump)

    ticks = [tuple(event.data.values()) for event in TriggerEvent.objects.all()]
    assert (
        len(ticks) == len(set(ticks)) == ScheduleTick.objects.count() == InboxEntry.objects.count()
    )


@pytest.mark.django_db(transaction=True)
def test_what_is_left_out_is_recorded_with_its_reason():
    make_due(rule="*/10 * * * *", missed="skip", minutes=180)

    on_connections(schedules.pump)

    left_out = ScheduleTick.objects.exclude(skipped_because="")
    assert left_out.count() >= 17
    assert "leaves missed times out" in left_out[0].skipped_because


@pytest.mark.django_db(transaction=True)
def test_a_rule_that_cannot_be_read_stops_only_its_own_schedule():
    make_due(2)
    broken = ScheduleTrigger.objects.all()[0]
    ScheduleTrigger.objects.filter(pk=broken.pk).update(cron="nonsense")

    assert on_connections(schedules.pump) == [1]

    broken.refresh_from_db()
    assert broken.next_due_at is None


@pytest.mark.django_db(transaction=True)
def test_nothing_fires_early_or_while_off():
    make_due(2)
    on, off = ScheduleTrigger.objects.all()
    ScheduleTrigger.objects.filter(pk=on.pk).update(
        next_due_at=scheduling.database_now() + timedelta(seconds=30)
    )
    scheduling.drop(off.workflow, off.trigger_id)

    assert on_connections(schedules.pump) == [0]
