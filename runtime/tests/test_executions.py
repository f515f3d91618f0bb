from __future__ import annotations

import pytest

from leadsend.access.models import AuditEntry
from leadsend.lib import clock, ids
from leadsend.lib.errors import Conflict, InvalidInput, NotFound
from runtime import executions
from runtime.models import Execution, ExecutionTimer, StepExecution
from runtime.signals import execution_finished, execution_started
from workflows import drafts, publishing

pytestmark = pytest.mark.django_db

IDLE = ("PENDING", "WAITING", "PAUSED")
IN_FLIGHT = [{"step": "second", "item": None, "attempt": 1}]
FINAL = ("SUCCESS", "FAILED", "CANCELLED", "TIMED_OUT")


def steps_of(execution):
    return {row.step_id: row for row in StepExecution.objects.of_execution(execution.pk)}


def acts():
    entries = AuditEntry.objects.filter(object_type="runtime.execution").order_by("number")
    return list(entries.values_list("act", flat=True))


@pytest.fixture
def finished():
    heard = []

    def hear(execution_ids, **_):
        heard.extend(execution_ids)

    execution_finished.connect(hear)
    yield heard
    execution_finished.disconnect(hear)


@pytest.mark.parametrize("status", IDLE)
def test_cancel_ends_what_nobody_works_on_at_once(make, ana, status, finished, outside):
    execution = make(status)
    make.step(execution, "first")
    make.step(execution, "second", "WAITING", due_at=clock.now())
    ExecutionTimer.objects.create(execution=execution, due_at=clock.now())

    cancelled = executions.cancel(execution, user=ana)

    execution.refresh_from_db()
    assert cancelled.status == execution.status == "CANCELLED"
    assert execution.error == {
        "code": "cancelled", "message": "The run was cancelled.", "step_id": None,
    }  # fmt: skip
    assert execution.ended_at is not None
    assert execution.metrics["attempts"] == 2
    assert steps_of(execution)["first"].status == "SUCCESS"
    assert steps_of(execution)["second"].status == "CANCELLED"
    assert not ExecutionTimer.objects.exists()
    assert finished == [execution.pk]
    assert [change.status for change in outside.told] == ["CANCELLED"]
    assert outside.rings == 1


def test_cancel_while_an_effect_is_in_flight_is_a_wish_that_leaves_lease_and_fence(make, ana):
    execution = make("RUNNING", pending=IN_FLIGHT)

    cancelled = executions.cancel(execution, user=ana)

    cancelled.refresh_from_db()
    assert cancelled.status == "RUNNING"
    assert cancelled.cancel_requested_at is not None
    assert (cancelled.fence, cancelled.worker_id) == (execution.fence, execution.worker_id)


@pytest.mark.parametrize("status", [*IDLE, "RUNNING"])
def test_a_second_cancel_says_the_same_and_leaves_no_second_entry(make, ana, status):
    execution = make(status)

    first = executions.cancel(execution, user=ana)
    second = executions.cancel(execution, user=ana)

    assert (first.status, first.cancel_requested_at) == (second.status, second.cancel_requested_at)
    assert acts() == ["execution.cancel"]


@pytest.mark.parametrize("status", ["SUCCESS", "FAILED", "TIMED_OUT"])
def test_cancel_of_what_ended_otherwise_is_refused(make, ana, status):
    with pytest.raises(Conflict, match="ended already"):
        executions.cancel(make(status), user=ana)

    assert acts() == []


def test_an_effect_that_was_under_way_at_a_crash_leaves_a_row_when_cancelled(make, ana):
    pending = [{"step": "second", "item": None, "attempt": 1}]
    execution = make("PENDING", pending=pending, crash_count=1, fence=2)

    executions.cancel(execution, user=ana)

    row = steps_of(execution)["second"]
    assert (row.status, row.error["code"], row.action_key) == (
        "CANCELLED", "uncertain", "set_fields",
    )  # fmt: skip
    assert row.effect_key == ids.idempotency_key(execution.pk, "second")


@pytest.mark.parametrize("status", ["PENDING", "WAITING"])
def test_pause_and_resume_make_it_due_again(make, ana, status):
    execution = make(status)
    ExecutionTimer.objects.create(execution=execution, due_at=clock.now())

    paused = executions.pause(execution, user=ana)
    assert paused.status == "PAUSED"
    assert not ExecutionTimer.objects.exists()
    assert executions.pause(execution, user=ana).status == "PAUSED"
    resumed = executions.resume(execution, user=ana)

    assert resumed.status == "PENDING"
    assert executions.resume(execution, user=ana).status == "PENDING"
    assert acts() == ["execution.pause", "execution.resume"]


@pytest.mark.parametrize("act", [executions.cancel, executions.pause])
def test_what_only_computes_is_taken_from_its_process_at_once(make, ana, act):
    execution = make("RUNNING", fence=7, deadline_at=clock.now())

    act(execution, user=ana)

    execution.refresh_from_db()
    assert execution.status in ("CANCELLED", "PAUSED")
    assert (execution.fence, execution.lease_until, execution.worker_id) == (8, None, None)


@pytest.mark.parametrize("act", [executions.pause, executions.resume])
def test_what_is_being_cancelled_is_neither_paused_nor_resumed(make, ana, act):
    execution = make(
        "RUNNING",
        pending=IN_FLIGHT,
        cancel_requested_at=clock.now(),
        pause_requested_at=clock.now() if act is executions.resume else None,
    )

    with pytest.raises(Conflict) as refused:
        act(execution, user=ana)

    assert refused.value.code == "cancelling"


def test_pause_while_an_effect_is_in_flight_is_a_wish_that_resume_takes_back(make, ana):
    execution = make("RUNNING", pending=IN_FLIGHT)

    assert executions.pause(execution, user=ana).pause_requested_at is not None
    assert executions.pause(execution, user=ana).status == "RUNNING"
    assert executions.resume(execution, user=ana).pause_requested_at is None
    assert acts() == ["execution.pause", "execution.resume"]


@pytest.mark.parametrize("status", FINAL)
@pytest.mark.parametrize("act", [executions.pause, executions.resume])
def test_what_has_ended_is_neither_paused_nor_resumed(make, ana, act, status):
    with pytest.raises(Conflict) as refused:
        act(make(status), user=ana)

    assert refused.value.code == "finished"


def test_what_is_gone_is_not_found(make, ana):
    execution = make()
    Execution.objects.filter(pk=execution.pk).delete()

    with pytest.raises(NotFound):
        executions.cancel(execution, user=ana)


def test_retry_starts_anew_at_what_failed_with_the_results_before_it(make, ana):
    started = []

    def hear(execution_ids, **_):
        started.extend(execution_ids)

    execution_started.connect(hear)
    failed = make("FAILED", business_key="lead-7", error={"code": "x"})
    make.step(failed, "first", result_data={"a": 1})
    make.step(failed, "second", "FAILED", attempt=1, due_at=clock.now())
    make.step(failed, "second", "FAILED", attempt=2)

    new = executions.retry(failed, user=ana)

    execution_started.disconnect(hear)
    assert (new.status, new.retry_of, new.business_key) == ("PENDING", failed.pk, "lead-7")
    assert (new.context_data, new.error, new.fence) == (failed.context_data, None, 0)
    assert new.version_id == failed.version_id
    assert {key: row.result_data for key, row in steps_of(new).items()} == {"first": {"a": 1}}
    assert started == [new.pk]
    failed.refresh_from_db()
    assert failed.status == "FAILED"
    assert acts() == ["execution.retry"]


def test_retry_from_a_step_runs_it_and_what_follows_again(make, ana):
    done = make("SUCCESS")
    for step in ("first", "second", "third"):
        make.step(done, step)

    assert set(steps_of(executions.retry(done, user=ana, from_step="second"))) == {"first"}


def test_retry_of_a_success_without_a_step_runs_everything_again(make, ana):
    done = make("SUCCESS")
    make.step(done, "first")

    assert steps_of(executions.retry(done, user=ana)) == {}


def test_a_failure_that_was_dealt_with_by_its_branch_is_taken_over(make, ana):
    failed = make("FAILED")
    make.step(failed, "first", "FAILED", branch="error")
    make.step(failed, "second", "FAILED")

    kept = steps_of(executions.retry(failed, user=ana))

    assert {key: row.branch for key, row in kept.items()} == {"first": "error"}


def test_what_a_cancel_closed_runs_again(make, ana):
    cancelled = make("CANCELLED")
    make.step(cancelled, "first")
    make.step(cancelled, "second", "CANCELLED")

    assert set(steps_of(executions.retry(cancelled, user=ana))) == {"first"}


def test_while_a_retry_is_unfinished_asking_again_answers_with_it(make, ana):
    failed = make("FAILED")

    first = executions.retry(failed, user=ana)
    second = executions.retry(failed, user=ana)
    executions.cancel(first, user=ana)
    third = executions.retry(failed, user=ana)

    assert first.pk == second.pk != third.pk
    assert acts() == ["execution.retry", "execution.cancel", "execution.retry"]


def test_retry_on_the_live_version_keeps_what_is_done(make, ana, workflow):
    failed = make("FAILED")
    make.step(failed, "first")
    make.step(failed, "second", "FAILED")
    document = drafts.document_of(workflow)
    document["steps"][1]["cfg"]["keep"] = "all"
    document["settings"]["timeout_s"] = 77
    drafts.replace(workflow, document, user=None)
    version = publishing.publish(workflow, user=None)

    new = executions.retry(failed, user=ana, version="live")

    assert new.version_id == version.pk != failed.version_id
    assert (failed.timeout_s, new.timeout_s) == (3600, 77)
    assert set(steps_of(new)) == {"first"}


@pytest.mark.parametrize("status", [*IDLE, "RUNNING"])
def test_retry_of_what_has_not_ended_is_refused(make, ana, status):
    with pytest.raises(Conflict) as refused:
        executions.retry(make(status), user=ana)

    assert refused.value.code == "not_finished"


def test_retry_from_a_step_that_does_not_exist_is_refused(make, ana):
    with pytest.raises(InvalidInput, match="first, second, third"):
        executions.retry(make("FAILED"), user=ana, from_step="fourth")

    assert Execution.objects.count() == 1


@pytest.fixture
def uncertain(make):
    execution = make("WAITING")
    make.step(execution, "first")
    error = {"code": "uncertain", "message": "It may have happened."}
    return make.step(execution, "second", "UNCERTAIN", error=error)


@pytest.mark.parametrize(
    ("decision", "status", "again"),
    [("done", "SUCCESS", 0), ("run_again", "FAILED", 1), ("failed", "FAILED", 0)],
)
def test_a_decision_settles_the_step_and_lets_the_run_go_on(
    uncertain, ana, decision, status, again, outside
):
    row = executions.decide_uncertain(uncertain, decision, "Looked it up.", ana)

    row.refresh_from_db()
    assert (row.status, row.again, row.due_at is not None) == (status, again, again == 1)
    assert row.ended_at is not None
    assert Execution.objects.get(pk=row.execution_id).status == "PENDING"
    entry = AuditEntry.objects.get(act="step.decide")
    assert (entry.object_type, entry.actor, entry.detail["reason"]) == (
        "runtime.execution",
        ana,
        "Looked it up.",
    )
    assert outside.rings == 1


@pytest.mark.parametrize("decision", ["done", "run_again", "failed"])
def test_the_same_decision_twice_changes_nothing(uncertain, ana, decision):
    first = executions.decide_uncertain(uncertain, decision, "Looked.", ana)
    second = executions.decide_uncertain(uncertain, decision, "Looked.", ana)

    assert (first.status, first.ended_at) == (second.status, second.ended_at)
    assert acts() == ["step.decide"]


def test_another_decision_afterwards_is_refused(uncertain, ana):
    executions.decide_uncertain(uncertain, "done", "Looked.", ana)

    with pytest.raises(Conflict, match="SUCCESS"):
        executions.decide_uncertain(uncertain, "failed", "Looked.", ana)


def test_a_decision_waits_for_steps_that_are_under_way(uncertain, ana):
    Execution.objects.filter(pk=uncertain.execution_id).update(status="RUNNING")

    with pytest.raises(Conflict) as refused:
        executions.decide_uncertain(uncertain, "done", "Looked.", ana)

    assert refused.value.code == "busy"
    uncertain.refresh_from_db()
    assert uncertain.status == "UNCERTAIN"


def test_a_decision_does_not_wake_what_is_paused(uncertain, ana):
    Execution.objects.filter(pk=uncertain.execution_id).update(status="PAUSED")

    executions.decide_uncertain(uncertain, "done", "Looked.", ana)

    assert Execution.objects.get(pk=uncertain.execution_id).status == "PAUSED"
