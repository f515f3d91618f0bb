"""What dispatch does with events of a workflow that holds runs back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from leadsend.lib import clock, ids
from leadsend.testing.dispatching import dispatch_all
from leadsend.testing.engine import drain
from runtime import claiming, executions, turns
from runtime.models import ConcurrencyTurn, Execution, ExecutionTimer
from triggers.models import TriggerEvent
from triggers.tests.test_dispatch import arrive, fate_of

pytestmark = pytest.mark.usefixtures("ids_in_order")

KEY = "{{ event.email }}"
ADA, BOB = "ada@example.com", "bob@example.com"


@pytest.fixture
def make(make_workflow):
    """Return a function that publishes a workflow with settings and lets events arrive at it."""

    def publish(**settings):
        workflow = make_workflow("manual", settings=settings)

        def come(*emails):
            return [
                arrive(workflow, {"email": email, "number": number})
                for number, email in enumerate(emails, start=1)
            ]

        return come

    return publish


def statuses():
    rows = Execution.objects.order_by("created_at", "id")
    return [(row.context_data["number"], row.status) for row in rows]


def claim(limit=10):
    connection.ensure_connection()
    rows = claiming.claim(connection.connection, worker_id=ids.uuid7(), lease_s=3600, limit=limit)
    return [row.event["number"] for row in rows]


def end(number, status="SUCCESS"):
    """End a run as an engine would, and let the next look pass its turn on."""
    row = Execution.objects.get(context_data__number=number)
    Execution.objects.filter(pk=row.pk).update(status=status, ended_at=clock.now())
    turns.sweep()


def test_one_of_a_key_begins_and_the_others_wait_in_their_order(make):
    make(concurrency={"key": KEY})(ADA, BOB, ADA, ADA)
    dispatch_all()

    assert statuses() == [(1, "PENDING"), (2, "PENDING"), (3, "WAITING"), (4, "WAITING")]
    assert sorted(claim()) == [1, 2]
    end(1)
    assert claim() == [3]
    end(3, "FAILED")
    assert claim() == [4]
    end(4)
    end(2)
    turns.forget_ended()
    assert not ConcurrencyTurn.objects.exists()


def test_as_many_begin_as_the_limit_says(make):
    come = make(concurrency={"key": "all", "limit": 2})
    come(ADA, BOB, ADA)
    dispatch_all()

    assert [status for _, status in statuses()] == ["PENDING", "PENDING", "WAITING"]


def test_the_engine_passes_the_turn_on_in_the_commit_of_the_end(make):
    make(concurrency={"key": KEY})(*[ADA] * 5, BOB)
    dispatch_all()
    drain()

    assert {status for _, status in statuses()} == {"SUCCESS"}
    assert not ConcurrencyTurn.objects.exists()
    ended = list(Execution.objects.filter(context_data__email=ADA).order_by("ended_at"))
    assert [row.context_data["number"] for row in ended] == [1, 2, 3, 4, 5]


def test_an_event_without_the_field_of_the_key_is_not_held_back(make, make_workflow):
    workflow = make_workflow("manual", settings={"concurrency": {"key": KEY}})
    for _ in range(2):
        arrive(workflow, {"number": 1})
    dispatch_all()

    assert {status for _, status in statuses()} == {"PENDING"}


def test_a_new_event_is_left_out_while_one_runs(make):
    come = make(concurrency={"key": KEY, "policy": "drop_new"})
    events = come(ADA, ADA, BOB)
    dispatch_all()

    assert statuses() == [(1, "PENDING"), (3, "PENDING")]
    assert fate_of(events[1])["code"] == "dropped"
    assert ADA in fate_of(events[1])["reason"]
    assert fate_of(events[0]) is None
    drain()
    come(ADA)
    dispatch_all()
    assert [status for _, status in statuses()] == ["SUCCESS", "SUCCESS", "PENDING"]


def test_of_those_that_wait_only_the_newest_stays(make):
    come = make(concurrency={"key": KEY, "policy": "coalesce"})
    events = come(ADA, ADA, ADA)
    dispatch_all()
    assert statuses() == [(1, "PENDING"), (3, "WAITING")]
    waiting = Execution.objects.get(status="WAITING")

    later = arrive(waiting.workflow, {"email": ADA, "number": 9})
    dispatch_all()

    assert statuses() == [(1, "PENDING"), (9, "WAITING")]
    taken = Execution.objects.get(status="WAITING")
    assert taken.pk == waiting.pk
    assert taken.trigger_event_id == later
    assert fate_of(events[1])["code"] == "replaced"
    assert fate_of(events[2])["code"] == "replaced"
    assert str(later) in fate_of(events[2])["reason"]
    assert fate_of(later)["code"] == "took_over"
    assert str(taken.pk) in fate_of(later)["reason"]
    drain()
    assert {status for _, status in statuses()} == {"SUCCESS"}


def test_an_event_that_started_something_else_is_not_told_that_it_gave_way(make, make_workflow):
    come = make(concurrency={"key": KEY, "policy": "coalesce"})
    come(ADA)
    dispatch_all()
    workflow = Execution.objects.get().workflow
    other = make_workflow("manual", name="Other")
    source = f"manual:{workflow.pk}"
    other.subscriptions.update(source=source)
    first = arrive(workflow, {"email": ADA, "number": 2})
    dispatch_all()
    arrive(workflow, {"email": ADA, "number": 3})
    dispatch_all()

    assert fate_of(first) is None


def test_a_newer_event_cancels_the_run_before_and_begins_when_that_is_final(make):
    come = make(concurrency={"key": KEY, "policy": "cancel_old"})
    come(ADA)
    dispatch_all()
    assert claim() == [1]
    workflow = Execution.objects.get().workflow

    for number in (2, 3):
        arrive(workflow, {"email": ADA, "number": number})
        dispatch_all()

    old = Execution.objects.get(context_data__number=1)
    assert old.status == "RUNNING"
    assert old.cancel_requested_at is not None
    assert statuses()[1:] == [(3, "WAITING")]
    assert claim() == []
    end(1, "CANCELLED")
    assert claim() == [3]


def test_a_run_that_waits_is_cancelled_at_once_by_a_newer_event(make, make_workflow):
    delay = {"id": "wait", "kind": "delay", "cfg": {"for": {"value": 1, "unit": "days"}}}
    workflow = make_workflow(
        "manual", settings={"concurrency": {"key": KEY, "policy": "cancel_old"}}, steps=[delay]
    )
    arrive(workflow, {"email": ADA, "number": 1})
    dispatch_all()
    drain()
    arrive(workflow, {"email": ADA, "number": 2})
    dispatch_all()
    drain()

    assert statuses() == [(1, "CANCELLED"), (2, "WAITING")]
    assert ExecutionTimer.objects.get().execution_id == Execution.objects.get(status="WAITING").pk


def test_a_waiting_run_keeps_its_turn(make_workflow):
    delay = {"id": "wait", "kind": "delay", "cfg": {"for": {"value": 1, "unit": "days"}}}
    workflow = make_workflow("manual", settings={"concurrency": {"key": KEY}}, steps=[delay])
    for number in (1, 2):
        arrive(workflow, {"email": ADA, "number": number})
    dispatch_all()
    drain()

    assert Execution.objects.filter(started_at=None).count() == 1


def test_in_strict_order_a_failed_run_keeps_its_place_until_its_retry_succeeds(make, dev):
    make(concurrency={"key": KEY, "strict_order": True})(ADA, ADA)
    dispatch_all()
    claim()
    end(1, "FAILED")
    assert claim() == []

    retry = executions.retry(
        Execution.objects.get(context_data__number=1, status="FAILED"), user=dev
    )
    turns.sweep()

    assert claim() == [1]
    Execution.objects.filter(pk=retry.pk).update(status="SUCCESS", ended_at=clock.now())
    turns.sweep()
    assert claim() == [2]


def test_a_retry_waits_for_its_turn(make, dev):
    make(concurrency={"key": KEY})(ADA, ADA)
    dispatch_all()
    claim()
    end(1, "FAILED")
    assert claim() == [2]

    retry = executions.retry(Execution.objects.get(status="FAILED"), user=dev)
    turns.sweep()

    assert retry.status == "WAITING"
    assert claim() == []
    end(2)
    assert claim() == [1]


def test_a_paused_one_lets_others_pass_and_comes_back_to_its_place(make, dev):
    make(concurrency={"key": KEY})(ADA, ADA, ADA)
    dispatch_all()
    claim()
    second = Execution.objects.get(context_data__number=2)
    executions.pause(second, user=dev)
    end(1)
    assert claim() == [3]

    assert executions.resume(second, user=dev).status == "WAITING"
    turns.sweep()
    assert claim() == []
    end(3)
    assert claim() == [2]


def test_one_that_is_cancelled_while_it_waits_leaves_the_line(make, dev):
    make(concurrency={"key": KEY})(ADA, ADA, ADA)
    dispatch_all()
    claim()
    executions.cancel(Execution.objects.get(context_data__number=2), user=dev)
    end(1)

    assert claim() == [3]


def test_a_debounced_run_begins_after_the_last_event_with_its_data(make):
    come = make(debounce={"key": KEY, "for": {"value": 5, "unit": "minutes"}})
    events = come(ADA, ADA, BOB)
    dispatch_all()
    assert statuses() == [(2, "WAITING"), (3, "WAITING")]
    mine = Execution.objects.get(context_data__number=2)
    later = arrive(mine.workflow, {"email": ADA, "number": 9})
    dispatch_all()

    mine.refresh_from_db()
    assert mine.context_data["number"] == 9
    assert mine.trigger_event_id == later
    timer = ExecutionTimer.objects.get(execution=mine)
    received = TriggerEvent.objects.get(pk=later).received_at
    assert timer.due_at == received + timedelta(minutes=5)
    assert [fate_of(event) and fate_of(event)["code"] for event in (*events, later)] == [
        "debounced",
        "debounced",
        None,
        "took_over",
    ]
    assert claim() == []
    ExecutionTimer.objects.update(due_at=clock.now() - timedelta(seconds=1))
    assert sorted(claim()) == [3, 9]
    # The next event begins anew: the run that began keeps its data.
    arrive(mine.workflow, {"email": ADA, "number": 10})
    dispatch_all()
    assert max(statuses()) == (10, "WAITING")
    assert Execution.objects.count() == 3


def test_a_debounced_run_then_waits_for_its_turn(make):
    rule = {"key": KEY, "for": {"value": 5, "unit": "minutes"}}
    make(debounce=rule, concurrency={"key": "all"})(ADA, BOB)
    dispatch_all()
    ExecutionTimer.objects.update(due_at=clock.now() - timedelta(seconds=1))
    claim()

    assert claim() == [1]
    assert claim() == []
    end(1)
    assert claim() == [2]


def test_priority_comes_from_the_settings(make):
    make(priority=-3)(ADA)
    dispatch_all()

    assert Execution.objects.get().priority == -3


def test_plain_workflows_leave_no_trace_of_turns(make):
    make()(ADA)
    dispatch_all()

    assert Execution.objects.get().concurrency_key is None
    assert not ConcurrencyTurn.objects.exists()


def test_long_keys_that_differ_late_stay_different():
    long = "x" * 400

    assert turns.shortened(f"{long}1") != turns.shortened(f"{long}2")
    assert len(turns.shortened(f"{long}1")) == turns.LONGEST_KEY
    assert turns.shortened("short") == "short"
