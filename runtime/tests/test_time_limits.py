"""Time limits hold whoever lives: a step that never answers, an engine that hangs or is killed."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest

from leadsend.lib import clock, ids
from leadsend.lib.errors import RetryableError
from runtime import recovery
from runtime.draining import run_until_idle
from runtime.engine.tests.making import act
from runtime.models import Execution, StepExecution
from runtime.tests.driving import World, drain, engine, fresh, publish, start, steps_of

pytestmark = pytest.mark.django_db


async def never(ctx, inputs):
    await asyncio.Event().wait()


def last_row(run):
    return StepExecution.objects.of_execution(run.pk).order_by("-attempt").first()


def held_by_the_dead(workflow, *, until, lease=-1):
    """An execution whose effect ``a`` was under way in a process that is gone, or hangs."""
    now = clock.now()
    return start(
        workflow,
        status="RUNNING",
        fence=1,
        started_at=now,
        claimed_at=now,
        worker_id=ids.uuid7(),
        lease_until=now + timedelta(seconds=lease),
        deadline_at=now + timedelta(hours=1),
        pending=[
            {
                "step": "a",
                "item": None,
                "attempt": 1,
                "until": int(now.timestamp()) + until,
            }
        ],
    )


@pytest.mark.parametrize(
    ("action", "status", "statuses"),
    [("send", "FAILED", ["FAILED"] * 2), ("fire", "WAITING", ["UNCERTAIN"])],
)
def test_a_step_that_never_answers_is_cut_off_and_tried_again_or_left_to_a_person(
    action, status, statuses
):
    world = World()
    world.answers[action] = never
    limits = {"timeout_s": 0.05, "retry": {"attempts": 2}}
    run = start(publish(act("a", action, **limits)))

    drain(world)

    assert (fresh(run).status, steps_of(run)["a"]) == (status, statuses)
    assert last_row(run).error["code"] == "timeout"


def test_an_effect_under_way_says_until_when_it_may_be():
    world = World()
    gate = threading.Event()
    world.answers["send"] = lambda ctx, inputs: gate.wait(30) and {"done": True}
    run = start(publish(act("a", "send", timeout_s=7), act("b")))

    with engine(world) as found:
        found.once()
        [intent] = fresh(run).pending
        left_s = intent["until"] - clock.now().timestamp()
        gate.set()
        run_until_idle(found)

    assert 0 < left_s <= 8
    assert fresh(run).status == "SUCCESS"


@pytest.mark.parametrize(
    ("action", "status", "statuses", "calls"),
    [("send", "SUCCESS", ["FAILED", "SUCCESS"], 1), ("fire", "WAITING", ["UNCERTAIN"], 0)],
)
def test_an_effect_whose_time_ran_out_with_its_process_is_a_time_out_that_may_have_happened(
    action, status, statuses, calls
):
    world = World()
    run = held_by_the_dead(publish(act("a", action)), until=-5)

    assert recovery.reap().handed_on == 1
    drain(world)

    assert (fresh(run).status, steps_of(run)["a"]) == (status, statuses)
    assert len(world.calls) == calls
    assert [ctx.attempt for _, _, ctx in world.calls] == [2] * calls
    assert [ctx.idempotency_key for _, _, ctx in world.calls] == [
        ids.idempotency_key(run.pk, "a")
    ] * calls
    assert StepExecution.objects.of_execution(run.pk).get(attempt=1).error["code"] == "timeout"


def test_an_effect_that_still_has_time_is_called_again_as_the_same_attempt():
    world = World()
    run = held_by_the_dead(publish(act("a", "send")), until=60)

    recovery.reap()
    drain(world)

    assert steps_of(run)["a"] == ["SUCCESS"]
    assert [ctx.attempt for _, _, ctx in world.calls] == [1]


def test_an_engine_that_lives_and_hangs_loses_a_step_that_is_late():
    """Its loop of effects is blocked, so its own clock cuts nothing off; its heartbeat goes on."""
    world, gate = World(), threading.Event()
    world.answers["send"] = lambda ctx, inputs: gate.wait(30) and {"late": True}
    run = start(publish(act("a", "send", timeout_s=5)))
    with engine(world) as hanging:
        hanging.once()
        assert recovery.reap().total == 0
        pending = [fresh(run).pending[0] | {"until": int(clock.now().timestamp()) - 3600}]
        Execution.objects.filter(pk=run.pk).update(pending=pending)

        assert recovery.reap().handed_on == 1
        world.answers.clear()
        drain(world)
        gate.set()
        run_until_idle(hanging)

    assert fresh(run).status == "SUCCESS"
    assert steps_of(run)["a"] == ["FAILED", "SUCCESS"]
    # What the hanging process heard at last was not written over it.
    assert last_row(run).result_data == {"done": True}


def test_a_step_past_its_limit_over_all_attempts_is_not_tried_again():
    world = World()
    world.answers["send"] = lambda ctx, inputs: (_ for _ in ()).throw(RetryableError("Later."))
    patient = {"retry": {"attempts": 9, "base_s": 0.001, "max_delay_s": 0.001, "within_s": 1e-9}}
    run = start(publish(act("a", "send", **patient)))

    drain(world)

    assert (fresh(run).status, steps_of(run)["a"]) == ("FAILED", ["FAILED"])


def test_the_last_attempt_gets_no_more_than_what_is_left_of_the_step():
    world, seen = World(), []

    async def slow(ctx, inputs):
        seen.append(ctx.attempt)
        await never(ctx, inputs)

    world.answers["send"] = slow
    limits = {"timeout_s": 300, "retry": {"attempts": 3, "within_s": 0.05}}
    run = start(publish(act("a", "send", **limits)))

    drain(world)

    assert (fresh(run).status, seen) == ("FAILED", [1])


def test_only_time_at_work_counts_towards_the_limit_of_a_run():
    world, gate = World(), threading.Event()
    world.answers["send"] = lambda ctx, inputs: gate.wait(30) and {"done": True}
    long_ago = clock.now() - timedelta(days=30)
    run = start(publish(act("a", "send")), at=long_ago, timeout_s=60, run_ms=59_000)

    with engine(world) as found:
        found.once()
        claimed = fresh(run)
        gate.set()
        run_until_idle(found)

    assert (claimed.deadline_at - claimed.claimed_at).total_seconds() == 1.0
    assert fresh(run).deadline_at is None or fresh(run).status == "SUCCESS"


def test_a_run_over_its_limit_in_a_dead_process_is_timed_out_with_its_effect_uncertain():
    run = held_by_the_dead(publish(act("a", "send")), until=60)
    Execution.objects.filter(pk=run.pk).update(deadline_at=clock.now() - timedelta(seconds=1))

    assert recovery.reap().timed_out == 1

    assert fresh(run).status == "TIMED_OUT"
