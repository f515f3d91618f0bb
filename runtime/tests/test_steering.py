"""What people ask for, carried out by a real engine."""

from __future__ import annotations

from datetime import timedelta

import pytest

from leadsend.lib import clock, ids
from runtime import executions, recovery
from runtime.draining import run_until_idle
from runtime.engine.tests.making import act, control
from runtime.models import Execution, ExecutionTimer, StepExecution
from runtime.tests.driving import (
    NEVER,
    World,
    drain,
    engine,
    fresh,
    publish,
    start,
    steps_of,
)

pytestmark = pytest.mark.django_db


def test_a_retry_goes_on_behind_the_results_it_took_over():
    workflow = publish(act("a", "send"), act("b", "send", cfg={"x": "{{ steps.a.output.done }}"}))
    world = World()
    failed = start(workflow)
    seen = []

    def fail_second(ctx, inputs):
        seen.append(inputs)
        if len(seen) == 2:
            raise NEVER
        return {"done": len(seen)}

    world.answers["send"] = fail_second
    drain(world)
    assert fresh(failed).status == "FAILED"

    new = executions.retry(failed, user=None)
    drain(world)

    assert fresh(new).status == "SUCCESS"
    assert seen[-1] == {"x": 1}
    assert len(seen) == 3
    assert steps_of(new) == {"a": ["SUCCESS"], "b": ["SUCCESS"]}
    assert fresh(failed).status == "FAILED"


def test_pause_holds_a_delay_and_resume_goes_on_with_it():
    run = start(publish(control("wait", "delay", {"for": "1h"}), act("b")))
    drain()
    assert fresh(run).status == "WAITING"

    executions.pause(run, user=None)
    drain()
    assert fresh(run).status == "PAUSED"
    assert not ExecutionTimer.objects.exists()
    executions.resume(run, user=None)
    drain()

    assert fresh(run).status == "WAITING"
    due_at = ExecutionTimer.objects.get(execution=run).due_at
    assert due_at == StepExecution.objects.of_execution(run.pk).get().due_at
    past = clock.now() - timedelta(seconds=1)
    StepExecution.objects.of_execution(run.pk).update(due_at=past)
    ExecutionTimer.objects.update(due_at=past)
    drain()
    assert fresh(run).status == "SUCCESS"


def test_a_cancelled_delay_leaves_nothing_that_could_wake_up():
    run = start(publish(control("wait", "delay", {"for": "1h"}), act("b")))
    drain()

    executions.cancel(run, user=None)
    ExecutionTimer.objects.create(execution=run, due_at=clock.now())
    drain()

    assert fresh(run).status == "CANCELLED"
    assert steps_of(run) == {"wait": ["CANCELLED"]}


def test_a_wish_to_cancel_is_granted_when_the_step_under_way_has_answered():
    world = World()
    run = start(publish(act("a", "send"), act("b", "send")))

    with engine(world) as found:
        found.once()
        executions.cancel(run, user=None)
        assert fresh(run).status == "RUNNING"
        run_until_idle(found)

    assert fresh(run).status == "CANCELLED"
    assert steps_of(run) == {"a": ["SUCCESS"]}


def crashed(workflow):
    """An execution whose process died while step ``a`` was under way."""
    return start(
        workflow,
        status="RUNNING",
        fence=1,
        started_at=clock.now(),
        claimed_at=clock.now(),
        worker_id=ids.uuid7(),
        lease_until=clock.now() - timedelta(seconds=1),
        pending=[{"step": "a", "item": None, "attempt": 1}],
    )


def test_an_effect_that_can_be_repeated_is_called_again_under_its_key_after_a_crash():
    world = World()
    run = crashed(publish(act("a", "send"), act("b")))

    recovery.reap()
    drain(world)

    assert fresh(run).status == "SUCCESS"
    assert [call[2].idempotency_key for call in world.calls] == [ids.idempotency_key(run.pk, "a")]


@pytest.mark.parametrize(
    ("decision", "status", "calls"),
    [("done", "SUCCESS", 0), ("run_again", "SUCCESS", 1), ("failed", "FAILED", 0)],
)
def test_an_effect_of_at_most_once_waits_for_a_person(monkeypatch, decision, status, calls):
    world = World()
    monkeypatch.setattr("runtime.deciding.catalog", lambda: world)
    run = crashed(publish(act("a", "fire"), act("b")))
    recovery.reap()
    drain(world)
    assert fresh(run).status == "WAITING"
    assert world.calls == []
    row = StepExecution.objects.of_execution(run.pk).get(status="UNCERTAIN")

    executions.decide_uncertain(row, decision, "Asked the customer.", None)
    drain(world)

    assert fresh(run).status == status
    assert len(world.calls) == calls
    for _, _, context in world.calls:
        assert context.idempotency_key == ids.idempotency_key(run.pk, "a", again=1)


def test_three_crashes_in_a_row_end_a_run_with_its_event_kept():
    run = crashed(publish(act("a", "send")))
    for crashes in (1, 2):
        recovery.reap()
        assert fresh(run).crash_count == crashes
        Execution.objects.filter(pk=run.pk).update(
            status="RUNNING", lease_until=clock.now() - timedelta(seconds=1)
        )

    recovery.reap()

    assert (fresh(run).status, fresh(run).error["code"]) == ("FAILED", "poison")
    assert fresh(run).context_data == run.context_data
