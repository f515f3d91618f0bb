"""Undoing what a failed run did, with its rows, crashes and time limits."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from leadsend.lib import clock
from runtime import executions, recovery
from runtime.draining import run_until_idle
from runtime.engine.tests.making import act, control
from runtime.models import Execution, StepExecution
from runtime.tests.conftest import make_step
from runtime.tests.driving import NEVER, World, drain, engine, fresh, publish, raising, start
from workflows.models import Workflow, WorkflowStep

pytestmark = pytest.mark.django_db

STEPS = [
    act("flight", "send", cfg={"of": "flight"}, undo="no_flight"),
    act("hotel", "send", cfg={"of": "hotel"}, undo="no_hotel"),
    act("pay", "fire"),
    act("no_flight", "send", cfg={"undo": "{{ steps.flight.output.id }}"}),
    act("no_hotel", "send", cfg={"undo": "{{ steps.hotel.output.id }}"}),
]
EDGES = [
    {"from": "flight", "to": "hotel", "branch_key": "default"},
    {"from": "hotel", "to": "pay", "branch_key": "default"},
]


LOOP = [
    control("each", "loop", {"list": [1, 2]}),
    act("look", "send", cfg={"of": "look"}, parent="each"),
]
AROUND_LOOP = [
    {"from": "flight", "to": "hotel", "branch_key": "default"},
    {"from": "hotel", "to": "each", "branch_key": "default"},
    {"from": "each", "to": "pay", "branch_key": "default"},
]


def booking(**settings):
    return publish(*STEPS, edges=EDGES, settings=settings)


def booking_with_a_loop():
    return publish(*STEPS, *LOOP, edges=AROUND_LOOP)


def refusing() -> World:
    world = World()
    world.answers["send"] = lambda ctx, inputs: {"id": inputs.get("of")}
    world.answers["fire"] = raising(NEVER)
    return world


def undone_by(world: World) -> list[str]:
    return [inputs["undo"] for _, inputs, _ in world.calls if "undo" in inputs]


def rows_of(execution: Execution) -> dict[str, StepExecution]:
    return {row.step_id: row for row in StepExecution.objects.of_execution(execution.pk)}


def test_a_failed_run_undoes_what_it_did_and_says_so():
    execution, world = start(booking()), refusing()

    drain(world)

    ended = fresh(execution)
    assert undone_by(world) == ["hotel", "flight"]
    assert ended.status == "FAILED"
    assert ended.error["step_id"] == "pay"
    assert ended.error["undone"] == ["hotel", "flight"]
    assert rows_of(execution)["no_hotel"].effect_key is not None


def crash_in(world: World, undo: str, workflow: Workflow) -> Execution:
    """Let the process die while it calls an undo step, and another one take over."""
    execution: Execution = start(workflow)
    usual: Any = world.answers["send"]

    async def hang(ctx, inputs):
        if inputs.get("undo") == undo:
            await asyncio.sleep(3600)
        return usual(ctx, inputs)

    world.answers["send"] = hang
    with engine(world) as dying:
        for _ in range(200):
            dying.once()
            if undo in undone_by(world):
                break
            dying.wait(0.05)
        dying.held.clear()  # It dies without giving anything back.
    Execution.objects.update(lease_until=clock.now() - timedelta(minutes=1))
    recovery.reap()
    world.answers["send"] = usual
    return execution


@pytest.mark.parametrize("make", [booking, booking_with_a_loop])
@pytest.mark.parametrize(
    ("undo", "called"),
    [("hotel", ["hotel", "hotel", "flight"]), ("flight", ["hotel", "flight", "flight"])],
)
def test_a_crash_between_undos_undoes_the_rest_and_nothing_under_two_keys(
    outside, undo, called, make
):
    world = refusing()
    execution = crash_in(world, undo, make())

    drain(world)

    keys = {ctx.idempotency_key for _, inputs, ctx in world.calls if "undo" in inputs}
    assert undone_by(world) == called
    assert len(keys) == 2
    assert fresh(execution).error["undone"] == ["hotel", "flight"]


def test_a_run_out_of_time_is_undone_before_it_ends():
    execution, world = start(booking(), timeout_s=1), refusing()

    with engine(world) as found:
        world.answers["fire"] = lambda ctx, inputs: late(found)
        run_until_idle(found)

    ended = fresh(execution)
    assert ended.status == "TIMED_OUT"
    assert ended.error["undone"] == ["hotel", "flight"]


def late(found):
    """Let the run's time be over while its last effect is under way."""
    for run in found.held.values():
        run.claimed = replace(run.claimed, deadline_at=clock.now() - timedelta(seconds=1))
    return {}


def test_the_reaper_leaves_a_late_run_with_undo_steps_to_an_engine(outside):
    workflow = booking()
    version = workflow.versions.get()
    for step in ("flight", "no_flight"):
        extra = {"undo": "no_flight"} if step == "flight" else {}
        WorkflowStep.objects.create(
            version=version, project=workflow.project, slug=step, kind="action", position=0,
            extra=extra,
        )  # fmt: skip
    past = clock.now() - timedelta(minutes=5)
    execution = start(
        workflow, status="RUNNING", lease_until=past, deadline_at=past, started_at=past
    )
    row = {"kind": "action", "action_key": "send", "started_at": past, "ended_at": past}
    make_step(execution, "flight", result_data={"id": "flight"}, **row)

    recovery.reap()
    world = refusing()
    drain(world)

    assert undone_by(world) == ["flight"]
    assert fresh(execution).status == "TIMED_OUT"


def test_what_is_being_undone_is_not_taken_from_its_holder_for_being_late(outside):
    past = clock.now() - timedelta(minutes=5)
    held = {"status": "RUNNING", "lease_until": clock.now() + timedelta(minutes=1)}
    pending = [{"step": "no_hotel", "item": None, "attempt": 1, "undo": True}]
    execution = start(booking(), deadline_at=past, started_at=past, pending=pending, **held)

    recovery.reap()

    assert fresh(execution).status == "RUNNING"


def test_a_retry_does_again_what_was_undone(django_user_model):
    execution, world = start(booking()), refusing()
    drain(world)
    user = django_user_model.objects.create_user("ana@example.org")
    retried = executions.retry(fresh(execution), user=user)
    before = len(world.calls)

    drain(world)

    again = [inputs.get("of", action) for action, inputs, _ in world.calls[before:]]
    assert again == ["flight", "hotel", "fire"]
    assert fresh(retried).status == "SUCCESS"
