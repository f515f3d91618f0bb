from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import OperationalError

from leadsend.access.models import AuditEntry
from leadsend.lib import clock, ids
from runtime import ending, recovery
from runtime.models import Execution, StepExecution, Worker
from runtime.recovery import Reaped

pytestmark = pytest.mark.django_db

PENDING = [{"step": "second", "item": None, "attempt": 1}]


def long_ago():
    return clock.now() - timedelta(minutes=5)


def test_an_expired_lease_is_handed_on_with_a_new_fence_and_its_intents(make, outside):
    execution = make("RUNNING", lease_until=long_ago(), fence=4, pending=PENDING)
    holder = execution.worker_id

    assert recovery.reap() == Reaped(handed_on=1)

    execution.refresh_from_db()
    assert (execution.status, execution.fence, execution.crash_count) == ("PENDING", 5, 1)
    assert (execution.lease_until, execution.worker_id) == (None, None)
    assert execution.pending == PENDING
    entry = AuditEntry.objects.get(act="execution.handed_on")
    assert (entry.actor_label, entry.project_id) == ("reaper", execution.project_id)
    assert entry.object_id == str(holder)
    assert entry.detail == {"executions": [str(execution.pk)]}
    assert outside.rings == 1
    assert recovery.reap() == Reaped()


@pytest.mark.parametrize("status", ["PENDING", "WAITING", "PAUSED", "SUCCESS", "FAILED"])
def test_what_nobody_holds_is_left_alone(make, status):
    execution = make(status)

    assert recovery.reap() == Reaped()

    execution.refresh_from_db()
    assert (execution.status, execution.crash_count) == (status, 0)


def test_a_lease_that_still_runs_is_left_alone(make):
    make("RUNNING")

    assert recovery.reap() == Reaped()


def test_the_third_crash_is_poison_and_keeps_event_and_history(make):
    execution = make("RUNNING", lease_until=long_ago(), crash_count=2, pending=PENDING)
    make.step(execution, "first")
    make.step(execution, "third", "WAITING")

    assert recovery.reap() == Reaped(poisoned=1)

    execution.refresh_from_db()
    assert (execution.status, execution.error["code"]) == ("FAILED", "poison")
    assert execution.context_data == {"email": "ada@example.org"}
    rows = StepExecution.objects.of_execution(execution.pk)
    assert dict(rows.values_list("step_id", "status")) == {
        "first": "SUCCESS", "second": "CANCELLED", "third": "CANCELLED",
    }  # fmt: skip
    assert [letter.pk for letter in recovery.dead_letters()] == [execution.pk]


def test_a_dead_holder_does_not_save_a_run_from_its_time_limit(make):
    execution = make("RUNNING", lease_until=long_ago(), deadline_at=long_ago())

    assert recovery.reap() == Reaped(timed_out=1)

    execution.refresh_from_db()
    assert (execution.status, execution.error["code"]) == ("TIMED_OUT", "timed_out")


def test_a_holder_far_over_the_time_limit_loses_it_though_its_lease_runs(make):
    execution = make("RUNNING", deadline_at=long_ago(), fence=4)

    assert recovery.reap() == Reaped(timed_out=1)

    execution.refresh_from_db()
    assert (execution.status, execution.fence) == ("TIMED_OUT", 5)


def test_a_holder_a_moment_over_the_time_limit_ends_it_by_itself(make):
    make("RUNNING", deadline_at=clock.now() - timedelta(seconds=1))

    assert recovery.reap() == Reaped()


@pytest.mark.parametrize("status", ["PENDING", "WAITING", "PAUSED"])
def test_a_wish_to_cancel_that_nobody_saw_is_granted(make, status):
    execution = make(status, cancel_requested_at=clock.now())

    assert recovery.reap() == Reaped(cancelled=1)

    execution.refresh_from_db()
    assert execution.status == "CANCELLED"


def test_a_lost_lease_with_a_wish_to_cancel_is_cancelled(make):
    execution = make(
        "RUNNING", lease_until=long_ago(), cancel_requested_at=clock.now(), pending=PENDING
    )

    assert recovery.reap() == Reaped(cancelled=1)

    row = StepExecution.objects.of_execution(execution.pk).get()
    assert (row.step_id, row.status, row.error["code"]) == ("second", "CANCELLED", "uncertain")


def test_a_wish_to_cancel_what_is_held_is_left_to_its_holder(make):
    make("RUNNING", cancel_requested_at=clock.now())

    assert recovery.reap() == Reaped()


def test_a_lost_lease_with_a_wish_to_pause_is_paused(make):
    execution = make("RUNNING", lease_until=long_ago(), pause_requested_at=clock.now())

    assert recovery.reap() == Reaped(paused=1)

    execution.refresh_from_db()
    assert (execution.status, execution.pause_requested_at) == ("PAUSED", None)


def test_a_dead_worker_is_freed_without_waiting_for_its_leases(make):
    worker = Worker.objects.create(host="a", pid=1)
    held = make("RUNNING", worker_id=worker.pk)
    other = make("RUNNING")

    assert recovery.release_worker(worker.pk) == Reaped(handed_on=1)
    assert recovery.release_worker(worker.pk) == Reaped()

    worker.refresh_from_db()
    assert worker.stopped_at is not None
    assert Execution.objects.get(pk=held.pk).status == "PENDING"
    assert Execution.objects.get(pk=other.pk).status == "RUNNING"


def test_a_worker_that_held_a_thousand_is_freed_by_a_fixed_number_of_queries(
    make, django_assert_max_num_queries
):
    worker = ids.uuid7()
    for _ in range(20):
        make("RUNNING", worker_id=worker)

    with django_assert_max_num_queries(20):
        assert recovery.release_worker(worker).handed_on == 20


def test_an_end_by_the_reaper_is_an_entry_of_its_own(make):
    execution = make("RUNNING", lease_until=long_ago(), crash_count=2)

    recovery.reap()

    entry = AuditEntry.objects.get(act="execution.poisoned")
    assert (entry.object_id, entry.detail) == (str(execution.pk), {"crash_count": 3})


def test_one_call_takes_no_more_than_its_limit(make):
    for _ in range(3):
        make("RUNNING", lease_until=long_ago())

    assert recovery.reap(limit=2).total == 2
    assert recovery.reap(limit=2).total == 1


def test_dead_letters_are_those_given_up_and_no_other_failures(make):
    make("FAILED", error={"code": "http"})
    poison = make("FAILED", error={"code": "poison"})

    assert [letter.pk for letter in recovery.dead_letters()] == [poison.pk]


def test_the_command_reaps_until_nothing_is_left_and_names_what_was_given_up(make):
    worker = ids.uuid7()
    make("RUNNING", worker_id=worker)
    given_up = make("RUNNING", lease_until=long_ago(), crash_count=2)
    said = StringIO()

    call_command("recover_executions", worker=worker, stdout=said)

    assert "handed on 1" in said.getvalue()
    assert f"given up: {given_up.pk} (3 crashes)" in said.getvalue()
    assert not Execution.objects.filter(status="RUNNING").exists()


def test_one_that_cannot_be_settled_keeps_no_other_waiting(make, monkeypatch, caplog):
    broken = make("RUNNING", lease_until=long_ago(), cancel_requested_at=clock.now())
    others = [make("RUNNING", lease_until=long_ago()) for _ in range(2)]
    known = ending.end_execution

    def end(execution, *args, **kwargs):
        if execution.pk == broken.pk:
            raise KeyError("a bug of ours")
        known(execution, *args, **kwargs)

    monkeypatch.setattr(recovery, "end_execution", end)

    assert recovery.reap() == Reaped(handed_on=2)

    statuses = Execution.objects.filter(pk__in=[run.pk for run in others])
    assert set(statuses.values_list("status", flat=True)) == {"PENDING"}
    assert Execution.objects.get(pk=broken.pk).status == "RUNNING"
    assert "execution not reaped" in caplog.text


def test_a_database_that_is_away_is_no_broken_row(make, monkeypatch):
    make("RUNNING", lease_until=long_ago())

    def away():
        raise OperationalError("away")

    monkeypatch.setattr(recovery, "database_now", away)

    with pytest.raises(OperationalError):
        recovery.reap()
