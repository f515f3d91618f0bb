from __future__ import annotations

import asyncio
import json
import threading
from datetime import timedelta

import pytest
from django.db import connections

from leadsend.access.models import Team
from leadsend.lib import clock
from leadsend.lib.errors import RetryableError
from leadsend.testing.engine import drain as drain_real
from runtime import recording
from runtime.draining import run_until_idle
from runtime.engine.tests.making import act, control
from runtime.models import ExecutionTimer, OutboxMail, StepExecution, Task
from runtime.tests.driving import (
    LATER,
    NEVER,
    World,
    drain,
    engine,
    fresh,
    project,
    publish,
    raising,
    start,
    steps_of,
)

pytestmark = pytest.mark.django_db
FORK = [
    {"from": "a", "to": "b", "branch_key": "default"},
    {"from": "a", "to": "c", "branch_key": "default"},
]
SHARED = connections["default"]


def test_a_chain_of_pure_steps_ends_as_success_with_its_rows():
    execution = start(publish(act("a", cfg={"x": "{{ event.score }}"}), act("b")))

    drain()

    found = fresh(execution)
    assert found.status == "SUCCESS"
    assert steps_of(execution) == {"a": ["SUCCESS"], "b": ["SUCCESS"]}
    assert found.metrics["steps"] == 2
    assert found.ended_at is not None
    assert found.execution_time is not None
    assert found.lease_until is None
    assert found.pending is None


def test_the_overview_documents_workflow_sends_its_mail_and_makes_its_task():
    Team.objects.create(project=project(), key="sales_team", name="Sales team")
    workflow = publish(
        {"kind": "action", "action_key": "email_send", "cfg": {"template": "welcome"}},
        {"kind": "action", "action_key": "task_create", "cfg": {"assignee": "sales_team"}},
        triggers=["lead_sources_db_change"],
    )
    event = {"op": "insert", "new": {"email": "ada@example.org", "name": "Ada Byron"}}
    execution = start(workflow, event, trigger_key="lead_sources_db_change")

    drain_real()

    assert fresh(execution).status == "SUCCESS", fresh(execution).error
    mail, task = OutboxMail.objects.get(), Task.objects.get()
    assert (mail.to, mail.mode, mail.execution_id) == ("ada@example.org", "outbox", execution.pk)
    assert task.title == "Follow up with Ada Byron"
    assert task.team is not None
    assert task.team.key == "sales_team"
    assert task.execution_id == execution.pk


def test_an_unknown_assignee_fails_the_step_and_leaves_no_task():
    workflow = publish(
        {"id": "t", "kind": "action", "action_key": "task_create", "cfg": {"assignee": "nobody"}}
    )
    execution = start(workflow)

    drain_real()

    assert fresh(execution).status == "FAILED"
    assert fresh(execution).error["code"] == "assignee_unknown"
    assert not Task.objects.exists()


def test_an_effect_has_its_intent_in_the_row_while_it_is_called():
    world, seen = World(), []
    execution = start(publish(act("s", "send")))
    world.answers["send"] = lambda ctx, inputs: seen.append(fresh_raw(execution))

    with engine(world) as found:
        run_until_idle(found)

    [(status, [intent])] = seen
    assert (status, intent | {"until": 0}) == (
        "RUNNING", {"step": "s", "item": None, "attempt": 1, "until": 0},
    )  # fmt: skip
    assert fresh(execution).status == "SUCCESS"


def test_a_failed_attempt_is_tried_again_when_it_is_due():
    world = World()
    world.answers["send"] = raising(LATER, LATER)
    execution = start(publish(act("s", "send")))

    drain(world)

    assert fresh(execution).status == "SUCCESS"
    assert steps_of(execution) == {"s": ["FAILED", "FAILED", "SUCCESS"]}
    assert len({ctx.idempotency_key for _, _, ctx in world.calls}) == 1


def test_no_attempt_comes_before_the_moment_that_the_other_side_asked_for():
    world = World()
    world.answers["send"] = raising(RetryableError("Later.", retry_after_s=60))
    execution = start(publish(act("s", "send")))

    drain(world)

    assert fresh(execution).status == "WAITING"
    assert ExecutionTimer.objects.get(pk=execution.pk).due_at > clock.now() + timedelta(seconds=50)
    assert len(world.calls) == 1


def test_a_final_failure_fails_the_run_and_names_the_step():
    world = World()
    world.answers["send"] = raising(NEVER)
    execution = start(publish(act("s", "send"), act("after")))

    drain(world)

    assert fresh(execution).status == "FAILED"
    assert fresh(execution).error == {"code": "permanent", "message": "Never.", "step_id": "s"}


def test_a_delay_waits_with_a_timer_and_goes_on_when_it_is_due():
    execution = start(
        publish(control("d", "delay", {"for": {"value": 1, "unit": "hours"}}), act("after"))
    )
    drain()
    assert fresh(execution).status == "WAITING"
    assert steps_of(execution) == {"d": ["WAITING"]}
    past = clock.now() - timedelta(seconds=1)
    ExecutionTimer.objects.filter(pk=execution.pk).update(due_at=past)
    make_due(execution, past)

    drain()

    assert fresh(execution).status == "SUCCESS"
    assert steps_of(execution) == {"after": ["SUCCESS"], "d": ["SUCCESS"]}
    assert not ExecutionTimer.objects.exists()


def test_a_cancel_before_the_claim_ends_the_run_without_a_call():
    world = World()
    execution = start(publish(act("s", "send")), cancel_requested_at=clock.now())

    drain(world)

    assert fresh(execution).status == "CANCELLED"
    assert world.calls == []


def test_a_cancel_during_an_effect_ends_the_run_after_it():
    world = World()
    execution = start(publish(act("s", "send"), act("t", "send")))
    world.answers["send"] = lambda ctx, inputs: cancel_raw(execution)

    with engine(world) as found:
        run_until_idle(found)

    assert fresh(execution).status == "CANCELLED"
    assert steps_of(execution) == {"s": ["SUCCESS"]}
    assert len(world.calls) == 1


def test_a_pause_during_an_effect_pauses_after_it_and_a_resume_goes_on():
    world = World()
    execution = start(publish(act("s", "send"), act("t", "send")))
    world.answers["send"] = lambda ctx, inputs: pause_raw(execution)
    with engine(world) as found:
        run_until_idle(found)
    assert fresh(execution).status == "PAUSED"
    assert len(world.calls) == 1
    type(execution).objects.filter(pk=execution.pk).update(status="PENDING")
    world.answers.clear()

    drain(world)

    assert fresh(execution).status == "SUCCESS"
    assert [key for key, _, _ in world.calls] == ["send", "send"]


def test_after_a_crash_an_effect_at_most_once_waits_for_a_person():
    world = World()
    execution = start(
        publish(act("f", "fire")),
        fence=1,
        crash_count=1,
        started_at=clock.now(),
        pending=[{"step": "f", "item": None, "attempt": 1}],
    )

    drain(world)

    assert fresh(execution).status == "WAITING"
    assert steps_of(execution) == {"f": ["UNCERTAIN"]}
    assert world.calls == []


def test_after_a_crash_an_effect_with_a_key_is_called_again_under_it():
    world = World()
    execution = start(
        publish(act("s", "send")),
        fence=1,
        crash_count=1,
        started_at=clock.now(),
        pending=[{"step": "s", "item": None, "attempt": 1}],
    )

    drain(world)

    assert fresh(execution).status == "SUCCESS"
    assert [ctx.attempt for _, _, ctx in world.calls] == [1]


def test_the_third_crash_ends_the_run_as_poison():
    execution = start(publish(act("a")), fence=3, crash_count=3, started_at=clock.now())

    drain()

    assert fresh(execution).status == "FAILED"
    assert fresh(execution).error["code"] == "poison"


def test_a_stolen_lease_lets_nothing_be_recorded():
    world = World()
    execution = start(publish(act("s", "send")))
    world.answers["send"] = lambda ctx, inputs: steal_raw(execution)

    with engine(world) as found:
        while not found.once() or not world.calls:
            pass
        found.wait(5)
        found.once()
        assert found.held == {}

    assert fresh(execution).status == "RUNNING"
    assert fresh(execution).fence == 7
    assert steps_of(execution) == {}


def test_an_effect_does_not_begin_while_the_lease_may_have_ended(monkeypatch):
    world = World()
    execution = start(publish(act("s", "send")))

    with engine(world) as found:
        answers = iter([False, False, True])
        monkeypatch.setattr(found.leases, "is_sure", lambda run: next(answers))
        run_until_idle(found)

    assert fresh(execution).status == "SUCCESS"
    assert len(world.calls) == 1


def test_an_effect_is_cut_off_some_time_after_a_cancel(monkeypatch):
    monkeypatch.setattr("runtime.runs.CANCEL_PATIENCE", timedelta(0))
    world = World()
    execution = start(publish(act("f", "fire", timeout_s=30)))
    cancelled = threading.Event()
    world.answers["fire"] = lambda ctx, inputs: cancel_and_hang(execution, cancelled)

    with engine(world) as found:
        until_called(found, world)
        assert cancelled.wait(10)
        found.leases._cancelled.update(found.leases._held)
        run_until_idle(found)

    assert fresh(execution).status == "CANCELLED"
    assert steps_of(execution) == {"f": ["CANCELLED"]}


def test_a_slow_effect_holds_no_other_execution_back():
    world = World()
    workflow = publish(act("s", "send"))
    slow, quick = start(workflow), [start(workflow) for _ in range(5)]
    gate = threading.Event()
    world.answers["send"] = lambda ctx, inputs: (
        asyncio.to_thread(gate.wait, 10) if ctx.execution_id == slow.pk else None
    )

    with engine(world) as found:
        while any(fresh(execution).status != "SUCCESS" for execution in quick):
            if not found.once():
                found.wait(1)
        assert fresh(slow).status == "RUNNING"
        gate.set()
        run_until_idle(found)

    assert fresh(slow).status == "SUCCESS"


def test_parallel_effects_of_a_run_are_under_way_together():
    world, both = World(), threading.Barrier(2, timeout=10)
    world.answers["send"] = lambda ctx, inputs: asyncio.to_thread(both.wait)
    execution = start(publish(act("a"), act("b", "send"), act("c", "send"), edges=FORK))

    drain(world)

    assert fresh(execution).status == "SUCCESS"


def test_a_run_over_its_time_limit_times_out():
    execution = start(publish(act("s", "send")), timeout_s=10, run_ms=10_001)

    drain()

    assert fresh(execution).status == "TIMED_OUT"


def test_a_step_that_gives_no_answer_in_time_fails_as_a_timeout():
    world = World()
    world.answers["fire"] = lambda ctx, inputs: hang()
    execution = start(publish(act("f", "fire", timeout_s=0.01)))

    drain(world)

    assert steps_of(execution) == {"f": ["UNCERTAIN"]}
    assert fresh(execution).status == "WAITING"


def test_a_document_that_cannot_run_fails_with_the_reason():
    execution = start(publish(act("x", "no_such_action")))

    drain()

    assert fresh(execution).status == "FAILED"
    assert fresh(execution).error["code"] == "action_unknown"


def test_what_the_database_cannot_store_is_replaced_not_refused():
    world = World()
    world.answers["send"] = lambda ctx, inputs: {"a": "x\x00y", "b": 2**70, "c": float("nan")}
    execution = start(publish(act("s", "send")))

    drain(world)

    assert fresh(execution).status == "SUCCESS"


def test_a_run_that_cannot_be_recorded_does_not_take_the_batch_along(monkeypatch):
    good, bad = start(publish(act("a"))), start(publish(act("a")))
    break_recording_of(monkeypatch, bad)

    drain()

    assert fresh(good).status == "SUCCESS"
    assert fresh(bad).status == "FAILED"
    assert fresh(bad).error["code"] == "poison"


def test_the_business_key_is_evaluated_at_the_first_record():
    execution = start(publish(act("a"), settings={"business_key": "{{ event.email }}"}))

    drain()

    assert fresh(execution).business_key == "ada@example.org"


def test_stopping_finishes_what_runs_and_gives_the_rest_back():
    world = World()
    execution = start(publish(act("s", "send"), act("t", "send")))

    with engine(world) as found:
        world.answers["send"] = lambda ctx, inputs: found.stop_claiming()
        found.run()
        assert found.held == {}

    assert fresh(execution).status == "PENDING"
    assert fresh(execution).crash_count == 0
    assert steps_of(execution) == {"s": ["SUCCESS"]}


def raw():
    """The test's connection as psycopg: the effects' thread has none of Django's."""
    return SHARED.connection


def fresh_raw(execution):
    sql = "SELECT status, pending::text FROM workflow_execution WHERE id = %s"
    status, pending = raw().execute(sql, [execution.pk]).fetchone()
    return status, json.loads(pending)


def set_raw(execution, what):
    sql = f"UPDATE workflow_execution SET {what} WHERE id = %s"  # noqa: S608
    raw().execute(sql, [execution.pk])


def cancel_raw(execution):
    set_raw(execution, "cancel_requested_at = now()")


def pause_raw(execution):
    set_raw(execution, "pause_requested_at = now()")


def steal_raw(execution):
    set_raw(execution, "fence = 7")


def make_due(execution, moment):
    StepExecution.objects.of_execution(execution.pk).update(due_at=moment)


async def cancel_and_hang(execution, cancelled):
    cancel_raw(execution)
    cancelled.set()
    await asyncio.sleep(30)


def until_called(found, world):
    while not world.calls:
        found.once()


async def hang():
    await asyncio.sleep(30)


def break_recording_of(monkeypatch, execution):
    real = recording.record

    def record(connection, runs, **options):
        if any(run.id == execution.pk and run.finish.status == "SUCCESS" for run in runs):
            raise ValueError("broken")
        return real(connection, runs, **options)

    monkeypatch.setattr(recording, "record", record)


def test_a_flood_of_one_workflow_leaves_room_for_others(monkeypatch):
    flood, other = publish(act("s", "send")), publish(act("s", "send"), name="Other")
    for _ in range(20):
        start(flood)
    with engine(World(), most_held=8, batch=8) as found:
        monkeypatch.setattr(found._effects, "begin", lambda run, call: None)  # never answered
        for _ in range(5):
            found.claim_soon()
            found.once()
        held = [run.claimed.workflow_id for run in found.held.values()]
        assert held == [flood.pk] * 6

        start(other)
        found.claim_soon()
        found.once()

        assert other.pk in {run.claimed.workflow_id for run in found.held.values()}


def test_a_retry_does_not_wait_for_another_effect_of_its_run():
    """The slow effect ends only after the other one was tried a second time."""
    world, tried = World(), threading.Event()

    async def slow(ctx, inputs):
        await asyncio.to_thread(tried.wait, 20)
        return {"tried": tried.is_set()}

    def again(ctx, inputs):
        if ctx.attempt == 1:
            raise LATER
        tried.set()
        return {}

    world.answers |= {"fire": slow, "send": again}
    edges = [{"from": step, "to": "e", "branch_key": "default"} for step in ("f", "s")]
    execution = start(publish(act("f", "fire"), act("s", "send"), act("e"), edges=edges))

    drain(world)

    assert fresh(execution).status == "SUCCESS"
    assert steps_of(execution) == {"f": ["SUCCESS"], "s": ["FAILED", "SUCCESS"], "e": ["SUCCESS"]}
    row = StepExecution.objects.of_execution(execution.pk).get(step_id="f")
    assert row.result_data == {"tried": True}
