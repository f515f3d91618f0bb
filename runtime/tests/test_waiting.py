"""Steps that wait for events, tasks and other runs, carried out by a real engine."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest

from leadsend.lib import clock, ids
from leadsend.lib.errors import Conflict
from leadsend.lib.postgres import django_connection
from runtime import answering, executions, human_tasks, recovery, waits
from runtime.draining import run_until_idle
from runtime.engine.tests.making import act, control
from runtime.models import Execution, ExecutionTimer, ExecutionWait, StepExecution, Task
from runtime.tests.driving import (
    NEVER,
    World,
    drain,
    engine,
    fresh,
    project,
    publish,
    start,
    steps_of,
)

pytestmark = pytest.mark.django_db

EVENT = {"for": "event", "trigger_key": "webhook", "key": "{{ event.email }}"}
EDGES = (
    {"from": "wait", "to": "came", "branch_key": "default"},
    {"from": "wait", "to": "gone", "branch_key": "timeout"},
)


def waiting_workflow(cfg=EVENT, edges=EDGES):
    return publish(control("wait", "wait", cfg), act("came"), act("gone"), edges=edges)


def live(workflow):
    workflow.live_version = workflow.versions.get()
    workflow.is_active = True
    workflow.save()
    return workflow


def answer_event(email="ada@example.org", data=None):
    row = (project().pk, "webhook", "{{ event.email }}", email, ids.uuid7(), '{"event": {"n": 1}}')
    return len(waits.answer_events(django_connection(), [row]))


def step_of(run, step="wait"):
    return StepExecution.objects.of_execution(run.pk).get(step_id=step)


def make_due(run):
    past = clock.now() - timedelta(seconds=1)
    StepExecution.objects.of_execution(run.pk).filter(status="WAITING").update(due_at=past)
    ExecutionTimer.objects.filter(pk=run.pk).update(due_at=past)


def test_a_wait_is_one_row_until_its_event_comes():
    run = start(waiting_workflow())
    drain()
    assert fresh(run).status == "WAITING"
    row = ExecutionWait.objects.get()
    assert (row.id, row.kind, row.topic, row.key) == (
        step_of(run).pk,
        "event",
        "webhook",
        "ada@example.org",
    )
    assert not ExecutionTimer.objects.exists()

    assert answer_event("bob@example.org") == 0
    assert answer_event() == 1
    assert answer_event() == 0
    drain()

    assert fresh(run).status == "SUCCESS"
    assert step_of(run).result_data == {"event": {"n": 1}}
    assert steps_of(run) == {"wait": ["SUCCESS"], "came": ["SUCCESS"], "gone": ["SKIPPED"]}
    assert not ExecutionWait.objects.exists()
    assert not ExecutionTimer.objects.exists()


def test_when_nothing_comes_in_time_the_timeout_branch_is_taken():
    run = start(waiting_workflow(EVENT | {"timeout": {"value": 1, "unit": "days"}}))
    drain()
    make_due(run)

    drain()

    assert steps_of(run)["gone"] == ["SUCCESS"]
    assert answer_event() == 0
    assert not ExecutionWait.objects.exists()


def test_an_answer_that_came_before_the_limit_was_recorded_counts():
    run = start(waiting_workflow(EVENT | {"timeout": {"value": 1, "unit": "days"}}))
    drain()
    make_due(run)
    with engine() as found:
        found._claim(found._connected(), is_due=True)
        assert answer_event() == 1
        found._record_all(found._connected())

    assert steps_of(run)["came"] == ["SUCCESS"]


def test_an_answer_is_not_lost_while_another_branch_is_at_work():
    workflow = publish(
        act("a"),
        control("wait", "wait", EVENT),
        act("send", "send"),
        edges=[
            {"from": "a", "to": "wait", "branch_key": "default"},
            {"from": "a", "to": "send", "branch_key": "default"},
        ],
    )
    world = World()
    run = start(workflow)
    with engine(world) as found:
        found.once()  # the intent is committed, and so is the wait
        assert fresh(run).status == "RUNNING"
        assert answer_event() == 1
        assert ExecutionTimer.objects.filter(pk=run.pk).exists()
    drain(world)

    assert fresh(run).status == "SUCCESS"
    assert steps_of(run) == {"a": ["SUCCESS"], "wait": ["SUCCESS"], "send": ["SUCCESS"]}
    assert not ExecutionTimer.objects.exists()


def test_a_long_effect_does_not_hold_back_an_answer_to_another_branch():
    edges = [
        {"from": "a", "to": "wait", "branch_key": "default"},
        {"from": "a", "to": "send", "branch_key": "default"},
        {"from": "wait", "to": "came", "branch_key": "default"},
    ]
    steps = act("a"), control("wait", "wait", EVENT), act("send", "send"), act("came")
    run = start(publish(*steps, edges=edges))
    world, may_end = World(), threading.Event()
    world.answers["send"] = lambda ctx, inputs: asyncio.to_thread(may_end.wait, 30)
    with engine(world) as found:
        found.once()
        answer_event()
        found.leases.beat(found._connected())
        found.once()

        assert fresh(run).status == "RUNNING"
        assert step_of(run, "came").status == "SUCCESS"
        assert not ExecutionTimer.objects.exists()
        may_end.set()
        run_until_idle(found)
    assert fresh(run).status == "SUCCESS"


def test_a_paused_run_keeps_its_answer():
    run = start(waiting_workflow())
    drain()
    executions.pause(run, user=None)

    answer_event()
    drain()
    assert fresh(run).status == "PAUSED"
    executions.resume(run, user=None)
    drain()

    assert steps_of(run)["came"] == ["SUCCESS"]


def test_a_cancelled_run_waits_for_nothing():
    run = start(waiting_workflow())
    drain()

    executions.cancel(run, user=None)

    assert not ExecutionWait.objects.exists()
    assert answer_event() == 0


def test_a_reply_and_a_task_answer_by_their_keys():
    reply = publish(control("wait", "wait", {"for": "reply", "key": "<1@x>"}))
    run = start(reply)
    drain()

    assert answering.answer_waits("reply", "<2@x>", {"reply": {}}, project=project()) == 0
    assert (
        answering.answer_waits("reply", "<1@x>", {"reply": {"text": "Yes"}}, project=project()) == 1
    )
    assert (
        answering.answer_waits("reply", "<1@x>", {"reply": {"text": "No"}}, project=project()) == 0
    )
    drain()

    assert step_of(run).result_data == {"reply": {"text": "Yes"}}


def task_workflow():
    return publish(
        act("ask", cfg={"task_id": "{{ event.task }}"}),
        control("wait", "wait", {"for": "answer", "step": "ask"}),
    )


@pytest.mark.parametrize("is_early", [True, False])
def test_a_wait_for_a_task_is_answered_by_it_even_if_it_was_done_before(is_early):
    task = Task.objects.create(project=project(), title="Call Ada")
    run = start(task_workflow(), {"task": str(task.pk)})
    if not is_early:
        drain()
        assert fresh(run).status == "WAITING"

    human_tasks.complete(task, user=None, answer={"answer": "yes", "comment": "Fine."})
    drain()

    assert fresh(run).status == "SUCCESS"
    found = step_of(run).result_data
    assert (found["answer"], found["comment"], found["task_id"]) == ("yes", "Fine.", str(task.pk))


APPROVAL = {"title": "Discount?", "timeout": {"value": 2, "unit": "days"}}
ANSWER_EDGES = (
    {"from": "ok", "to": "came", "branch_key": "approved"},
    {"from": "ok", "to": "gone", "branch_key": "timeout"},
)


def approval():
    return publish(
        control("ok", "approval", APPROVAL), act("came"), act("gone"), edges=ANSWER_EDGES
    )


def test_an_approval_makes_a_task_and_goes_on_with_its_answer():
    run = start(approval())
    drain()
    task = Task.objects.get()
    assert task.title == "Discount?"
    assert task.form is not None
    assert [answer["key"] for answer in task.form["answers"]] == ["approved", "rejected"]

    human_tasks.complete(task, user=None, answer={"answer": "approved", "comment": "Fine."})
    drain()

    assert steps_of(run)["came"] == ["SUCCESS"]
    assert step_of(run, "ok").result_data == {
        "answer": "approved",
        "comment": "Fine.",
        "fields": {},
        "by": None,
        "task_id": str(task.pk),
    }


def test_an_approval_that_timed_out_closes_its_task():
    run = start(approval())
    drain()
    make_due(run)

    drain()

    assert steps_of(run)["gone"] == ["SUCCESS"]
    task = Task.objects.get()
    assert task.status == "CANCELLED"
    with pytest.raises(Conflict):
        human_tasks.complete(task, user=None, answer={"answer": "approved"})


def test_a_cancelled_run_closes_the_task_of_its_approval():
    run = start(approval())
    drain()

    executions.cancel(run, user=None)

    assert Task.objects.get().status == "CANCELLED"


def test_cancelling_the_task_of_an_approval_fails_its_step():
    run = start(approval())
    drain()

    human_tasks.cancel(Task.objects.get(), user=None, reason="Sold.")
    drain()

    assert fresh(run).error["code"] == "task_cancelled"


def call(slug, **cfg):
    return control(
        "call", "workflow", {"workflow": slug, "input": {"score": "{{ event.score }}"}} | cfg
    )


def test_a_called_run_gets_the_input_and_its_caller_the_output():
    other = live(publish(control("end", "end", {"output": "{{ event.score + 1 }}"}), name="Other"))
    run = start(publish(call(other.slug), act("then")))

    drain()

    child = Execution.objects.get(parent_execution=run.pk)
    assert child.context_data == {"score": 60}
    assert (child.parent_step, child.depth, child.trigger_key) == ("call", 1, "workflow")
    assert fresh(run).status == "SUCCESS"
    assert step_of(run, "call").result_data == {"execution_id": str(child.pk), "output": 61}


def test_a_called_run_that_fails_fails_the_step_of_its_caller():
    other = live(publish(act("send", "send"), name="Other"))
    run = start(publish(call(other.slug)))
    world = World()

    def fail(ctx, inputs):
        raise NEVER

    world.answers["send"] = fail
    drain(world)

    assert fresh(run).status == "FAILED"
    assert "Never." in fresh(run).error["message"]


def test_a_forgotten_run_goes_its_own_way():
    other = live(publish(control("wait", "delay", {"for": {"value": 1, "unit": "days"}})))
    run = start(publish(call(other.slug, mode="forget")))

    drain()

    assert fresh(run).status == "SUCCESS"
    assert Execution.objects.get(parent_execution=run.pk).status == "WAITING"
    assert not ExecutionWait.objects.exists()


def test_a_workflow_that_is_not_live_cannot_be_called():
    other = publish(act("a"), name="Other")
    run = start(publish(call(other.slug)))

    drain()

    assert fresh(run).error["code"] == "workflow_not_live"
    assert "“Other”" in fresh(run).error["message"]


def test_a_workflow_that_calls_itself_ends_at_the_fifth_call():
    start(publish(call(recursive().slug), name="Top"))

    drain()

    assert Execution.objects.filter(status="FAILED").count() == 6
    deepest = Execution.objects.order_by("-depth").first()
    assert deepest is not None
    assert deepest.error is not None
    assert deepest.depth == 5
    assert deepest.error["code"] == "too_deep"
    assert "Top → Again → Again → Again → Again → Again → Again" in deepest.error["message"]


def recursive():
    """A workflow that calls itself, past the checks of publishing."""
    slug = "again"
    found = publish(call(slug), name="Again")
    found.slug = slug
    return live(found)


def nested():
    """A caller of a caller of a run that waits for a day; all of them wait."""
    inner = live(publish(control("wait", "delay", {"for": {"value": 1, "unit": "days"}})))
    middle = live(publish(call(inner.slug)))
    run = start(publish(call(middle.slug)))
    drain()
    assert set(Execution.objects.values_list("status", flat=True)) == {"WAITING"}
    return run


def test_a_cancel_travels_down_to_the_last_called_run():
    run = nested()

    executions.cancel(run, user=None)
    drain()

    assert list(Execution.objects.values_list("status", flat=True)) == ["CANCELLED"] * 3
    assert not ExecutionWait.objects.exists()
    assert not ExecutionTimer.objects.exists()


def test_the_cancel_of_a_called_run_fails_its_caller():
    run = nested()
    inner = Execution.objects.get(depth=2)

    executions.cancel(inner, user=None)
    drain()

    assert fresh(inner).status == "CANCELLED"
    assert Execution.objects.get(depth=1).status == "FAILED"
    assert fresh(run).status == "FAILED"
    assert fresh(run).error["code"] == "cancelled"


def test_a_caller_that_fails_has_its_called_run_cancelled():
    other = live(publish(control("wait", "delay", {"for": {"value": 1, "unit": "days"}})))
    run = start(
        publish(
            act("a"),
            call(other.slug),
            act("send", "send"),
            edges=[
                {"from": "a", "to": "call", "branch_key": "default"},
                {"from": "a", "to": "send", "branch_key": "default"},
            ],
        )
    )
    world = World()

    def fail(ctx, inputs):
        raise NEVER

    world.answers["send"] = fail
    drain(world)

    assert fresh(run).status == "FAILED"
    assert Execution.objects.get(depth=1).status == "CANCELLED"
    assert not ExecutionWait.objects.exists()


def test_a_note_to_cancel_that_nobody_saw_is_taken_up_by_the_reaper():
    run = nested()
    ExecutionWait.objects.filter(execution_id=run.pk).update(kind="cancel")

    recovery.reap()
    drain()

    assert Execution.objects.get(depth=1).status == "CANCELLED"


def test_each_item_of_a_loop_may_call_a_run_and_wait_for_it():
    other = live(publish(control("end", "end", {"output": "{{ event.n * 2 }}"}), name="Other"))
    called = {"workflow": other.slug, "input": {"n": "{{ item }}"}}
    loop = {
        "list": "{{ event.numbers }}",
        "concurrency": 2,
        "output": "{{ steps.call.output.output }}",
    }
    steps = control("each", "loop", loop), control("call", "workflow", called, parent="each")
    run = start(publish(*steps), {"numbers": [1, 2, 3]})

    drain()

    assert fresh(run).status == "SUCCESS"
    children = Execution.objects.filter(parent_execution=run.pk)
    assert sorted(children.values_list("parent_item", flat=True)) == ["0", "1", "2"]
    rows = StepExecution.objects.of_execution(run.pk)
    assert rows.get(step_id="each", item=None, status="SUCCESS").result_data["items"] == [2, 4, 6]
    assert not ExecutionWait.objects.exists()
