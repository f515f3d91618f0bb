"""Loops with a real engine and a real database."""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from leadsend.lib import clock
from leadsend.lib.ids import idempotency_key
from runtime import executions, recovery
from runtime.draining import run_until_idle
from runtime.engine.tests.making import act, control
from runtime.models import ExecutionTimer, StepExecution, Task
from runtime.runs import Run
from runtime.tests.driving import (
    NEVER,
    World,
    drain,
    engine,
    fresh,
    publish,
    raising,
    start,
)

pytestmark = pytest.mark.django_db

FULL = os.environ.get("LEADSEND_TRUST_FULL") == "1"
MANY = 10_000 if FULL else 300


def loop(**cfg):
    return control("each", "loop", {"list": "{{ event.items }}"} | cfg)


def inside(step_id, action_key="echo", /, **more):
    return act(step_id, action_key, parent="each", **more)


def begin(*steps, items=3, **more):
    return start(publish(*steps, **more), {"items": list(range(items))})


def row_of(execution, step_id="each", item=None):
    return StepExecution.objects.of_execution(execution.pk).get(step_id=step_id, item=item)


def rows_of(execution, step_id):
    rows = StepExecution.objects.of_execution(execution.pk).filter(step_id=step_id)
    return dict(rows.exclude(item=None).values_list("item", "status"))


def pass_time(execution):
    """Let everything be due that waits."""
    past = clock.now() - timedelta(seconds=1)
    rows = StepExecution.objects.of_execution(execution.pk)
    rows.exclude(due_at=None).update(due_at=past)
    ExecutionTimer.objects.update(due_at=past)


def test_each_item_has_rows_and_a_key_of_its_own():
    world = World()
    world.answers["send"] = lambda ctx, inputs: {"twice": inputs["n"] * 2}
    execution = begin(
        loop(concurrency=2, output="{{ steps.s.output.twice }}"),
        inside("s", "send", cfg={"n": "{{ item }}"}),
        act("after", cfg={"all": "{{ steps.each.output.items }}"}),
    )

    drain(world)

    assert fresh(execution).status == "SUCCESS", fresh(execution).error
    assert row_of(execution).result_data == {
        "count": 3,
        "succeeded": 3,
        "failed": 0,
        "items": [0, 2, 4],
    }
    assert row_of(execution).input_data == {"list": [0, 1, 2]}
    assert row_of(execution, "after").result_data == {"all": [0, 2, 4]}
    assert rows_of(execution, "s") == dict.fromkeys("012", "SUCCESS")
    assert {ctx.idempotency_key for _, _, ctx in world.calls} == {
        idempotency_key(execution.pk, "s", item) for item in "012"
    }
    assert fresh(execution).metrics["steps"] == 5


def until(found, is_over):
    """Make passes until something holds; effects answer soon."""
    for _ in range(20_000):
        if is_over():
            return
        if not found.once():
            found.wait(1)
    raise AssertionError("The engine does not come to it.")


def test_the_loops_own_row_shows_how_far_it_is():
    world = World()
    execution = begin(loop(), inside("s", "send"))

    with engine(world) as found:
        until(found, lambda: world.calls)
        row = row_of(execution)
        run_until_idle(found)

    assert row.status == "RUNNING"
    assert (row.result_data["total"], row.result_data["failed"]) == (3, 0)
    assert row_of(execution).result_data == {"count": 3, "succeeded": 3, "failed": 0}


def test_a_long_loop_ends_in_bounded_memory_and_in_many_commits():
    workflow = publish(loop(concurrency=5), inside("a"), inside("s", "send"))
    execution = start(workflow, {"items": list(range(MANY))})
    held: list[int] = []

    def is_over():
        held.extend(len(run.state.latest) for run in found.held.values())
        return found.held == {} and fresh(execution).is_final

    with engine() as found:
        until(found, is_over)

    assert fresh(execution).status == "SUCCESS", fresh(execution).error
    assert row_of(execution).result_data["count"] == MANY
    assert len(rows_of(execution, "s")) == MANY
    assert max(held) <= 1 + 5 * 2
    assert fresh(execution).metrics["steps"] == 1 + 2 * MANY


def test_a_loop_without_effects_lets_others_in_between():
    workflow = publish(loop(), inside("a"))
    long = start(workflow, {"items": list(range(1200))})

    with engine() as found:
        found.once()
        assert fresh(long).status == "RUNNING"
        assert row_of(long).result_data["done"] == 500
        other = start(publish(act("x")))
        found.claim_soon()
        found.once()
        assert fresh(other).status == "SUCCESS"
        assert fresh(long).status == "RUNNING"
        run_until_idle(found)

    assert fresh(long).status == "SUCCESS"
    assert len(rows_of(long, "a")) == 1200


def test_a_loop_of_tasks_makes_each_once_and_not_all_in_one_commit():
    execution = begin(loop(), inside("t", "write", cfg={"title": "No. {{ item }}"}), items=120)

    with engine() as found:
        found.once()
        assert fresh(execution).status == "RUNNING"
        assert Task.objects.count() == 50
        run_until_idle(found)

    assert fresh(execution).status == "SUCCESS"
    titles = sorted(Task.objects.values_list("title", flat=True))
    assert titles == sorted(f"No. {number}" for number in range(120))


def test_after_a_wait_only_rows_of_open_items_are_read(monkeypatch):
    execution = begin(
        loop(concurrency=2, output="{{ steps.a.output.n }}"),
        inside("a", cfg={"n": "{{ item }}"}),
        control("wait", "delay", {"for": {"value": 1, "unit": "hours"}}, parent="each"),
        items=6,
    )
    loaded: list[Any] = []
    real = Run.load

    def load(run, rows):
        loaded.append(list(rows))
        real(run, loaded[-1])

    monkeypatch.setattr(Run, "load", load)

    for _ in range(4):
        drain()
        pass_time(execution)

    assert fresh(execution).status == "SUCCESS"
    assert [len(rows) for rows in loaded] == [0, 5, 5, 5]
    assert row_of(execution).result_data["items"] == list(range(6))
    assert fresh(execution).metrics == fresh(execution).metrics | {"steps": 13, "attempts": 13}


def test_loops_inside_each_other_go_on_after_waits():
    inner = control("inner", "loop", {"list": "{{ item }}", "output": "{{ item }}"}, parent="each")
    wait = control("wait", "delay", {"for": {"value": 1, "unit": "hours"}}, parent="inner")
    workflow = publish(loop(output="{{ steps.inner.output.items }}"), inner, wait)
    execution = start(workflow, {"items": [[1, 2], [3]]})

    for _ in range(4):
        assert fresh(execution).status != "SUCCESS"
        drain()
        pass_time(execution)

    assert fresh(execution).status == "SUCCESS"
    assert row_of(execution).result_data["items"] == [[1, 2], [3]]
    assert set(rows_of(execution, "wait")) == {"0.0", "0.1", "1.0"}


def test_a_loop_that_repeats_waits_between_its_rounds():
    world = World()
    cfg = {
        "mode": "until",
        "until": {"all": [{"left": "{{ steps.s.output.n }}", "op": "ge", "right": 2}]},
        "pause": {"value": 5, "unit": "minutes"},
    }
    world.answers["send"] = lambda ctx, inputs: {"n": len(world.calls)}
    execution = start(publish(control("each", "loop", cfg), inside("s", "send")))

    drain(world)
    assert fresh(execution).status == "WAITING"
    assert row_of(execution).due_at > clock.now() + timedelta(minutes=4)
    pass_time(execution)
    drain(world)

    assert fresh(execution).status == "SUCCESS"
    assert row_of(execution).result_data["reached"] is True
    assert row_of(execution).result_data["count"] == 2


def killed_in_the_middle(execution, world, *, calls):
    """Let an engine die with effects under way, after so many calls."""
    with engine(world) as found:
        until(found, lambda: len(world.calls) >= calls)
        recovery.release_worker(found.worker_id)
        assert fresh(execution).status == "PENDING"
        assert fresh(execution).crash_count == 1
        found.held.clear()


def test_after_a_crash_in_the_middle_no_item_that_was_through_is_done_again():
    world = World()
    execution = begin(loop(concurrency=3), inside("a"), inside("s", "send"), items=20)

    killed_in_the_middle(execution, world, calls=8)
    under_way = {place["item"] for place in fresh(execution).pending}
    drain(world)

    assert fresh(execution).status == "SUCCESS", fresh(execution).error
    times = Counter(ctx.idempotency_key for _, _, ctx in world.calls)
    assert len(times) == 20
    twice = {key for key, count in times.items() if count > 1}
    assert twice <= {idempotency_key(execution.pk, "s", item) for item in under_way}
    assert rows_of(execution, "s") == {str(item): "SUCCESS" for item in range(20)}
    assert rows_of(execution, "a") == {str(item): "SUCCESS" for item in range(20)}


def test_after_a_crash_items_that_may_have_happened_wait_for_a_person(monkeypatch):
    world = World()
    monkeypatch.setattr("runtime.deciding.catalog", lambda: world)
    execution = begin(loop(concurrency=2), inside("f", "fire"), items=6)

    killed_in_the_middle(execution, world, calls=3)
    under_way = sorted(place["item"] for place in fresh(execution).pending)
    drain(world)

    assert fresh(execution).status == "WAITING"
    uncertain = [item for item, status in rows_of(execution, "f").items() if status == "UNCERTAIN"]
    assert sorted(uncertain) == under_way
    for item in uncertain:
        row = row_of(execution, "f", item)
        executions.decide_uncertain(row, "done", "I looked.", None)
    drain(world)

    assert fresh(execution).status == "SUCCESS"
    assert max(Counter(ctx.idempotency_key for _, _, ctx in world.calls).values()) == 1


def test_a_pause_holds_a_loop_and_it_goes_on_where_it_was():
    world = World()
    execution = begin(loop(), inside("s", "send"), items=6)

    with engine(world) as found:
        until(found, lambda: len(world.calls) >= 2)
        executions.pause(fresh(execution), user=None)
        until(found, lambda: found.held == {})
    assert fresh(execution).status == "PAUSED"
    assert row_of(execution).result_data["done"] == len(world.calls) < 6
    executions.resume(fresh(execution), user=None)
    drain(world)

    assert fresh(execution).status == "SUCCESS"
    assert len(world.calls) == 6


def test_a_cancel_ends_a_loop_and_closes_its_row():
    world = World()
    execution = begin(loop(), inside("s", "send"), items=4)

    with engine(world) as found:
        until(found, lambda: len(world.calls) >= 1)
        executions.cancel(fresh(execution), user=None)
        until(found, lambda: found.held == {})

    assert fresh(execution).status == "CANCELLED"
    assert row_of(execution).status == "CANCELLED"
    assert len(world.calls) < 4


def test_a_failed_item_is_named_by_the_run():
    world = World()

    def reply(ctx, inputs):
        if len(world.calls) == 2:
            raise NEVER

    world.answers["send"] = reply
    execution = begin(loop(), inside("s", "send"))

    drain(world)

    assert fresh(execution).status == "FAILED"
    assert fresh(execution).error["message"] == "Step each, item 1, step s: Never."
    assert row_of(execution, "each", "1").status == "FAILED"


def test_a_retry_does_nothing_again_that_an_item_did(monkeypatch):
    world, failing = World(), {"2"}

    def reply(ctx, inputs):
        if str(inputs["n"]) in failing:
            raise NEVER
        return {"n": inputs["n"]}

    world.answers["send"] = reply
    monkeypatch.setattr("runtime.retrying.catalog", lambda: world)
    execution = begin(
        loop(output="{{ steps.s.output.n }}"),
        inside("s", "send", cfg={"n": "{{ item }}"}),
        items=4,
    )
    drain(world)
    assert fresh(execution).status == "FAILED"
    failing.clear()

    new = executions.retry(fresh(execution), user=None)
    drain(world)

    assert fresh(new).status == "SUCCESS", fresh(new).error
    assert row_of(new).result_data["items"] == [0, 1, 2, 3]
    assert [inputs["n"] for _, inputs, _ in world.calls] == [0, 1, 2, 2, 3]
    assert set(rows_of(new, "s").values()) == {"SUCCESS"}


def test_a_retry_keeps_a_loop_that_went_on_past_failures(monkeypatch):
    world = World()
    world.answers["send"] = raising(NEVER)
    world.answers["fire"] = raising(NEVER)
    monkeypatch.setattr("runtime.retrying.catalog", lambda: world)
    execution = begin(loop(on_error="continue"), inside("s", "send"), act("f", "fire"))
    drain(world)
    assert fresh(execution).status == "FAILED"

    new = executions.retry(fresh(execution), user=None)
    drain(world)

    assert fresh(new).status == "SUCCESS", fresh(new).error
    assert [key for key, _, _ in world.calls] == ["send", "send", "send", "fire", "fire"]
    assert row_of(new).result_data == {"count": 3, "succeeded": 2, "failed": 1}
