"""Answers, time limits, cancels and an engine at the same moment, on real connections."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier

import pytest
from django.db import connection

from leadsend.lib import clock, postgres
from leadsend.lib.errors import Conflict
from runtime import answering, executions, human_tasks, recovery
from runtime.draining import Engine, Options
from runtime.engine.tests.making import act, control
from runtime.models import (
    Execution,
    ExecutionTimer,
    ExecutionWait,
    StepExecution,
    Task,
)
from runtime.tests.driving import World, project, publish, start

ROUNDS = 50 if os.environ.get("LEADSEND_TRUST_FULL") == "1" else 3
DAY = {"value": 1, "unit": "days"}


@pytest.fixture
def at_once(transactional_db):
    """Runs acts at the same moment, each on a connection of its own; returns what they say."""
    with ThreadPoolExecutor(6) as threads:

        def run(*acts):
            barrier = Barrier(len(acts))

            def begin(act):
                barrier.wait(30)
                return act()

            return list(threads.map(begin, acts))

        yield run
        run(*[hang_up] * 6)


def hang_up():
    connection.close()  # the connection of the thread that runs this


@pytest.fixture
def engines(transactional_db):
    """Two engines on connections of their own."""
    found = [
        Engine(Options(connect=partial(postgres.connect, "race"), lease_s=3600, catalog=World()))
        for _ in range(2)
    ]
    yield found
    for engine in found:
        engine.close()


def drain(*engines):
    """Let engines work in turn until nothing moves any more."""
    quiet = 0
    while quiet < 2:
        moved = []
        for engine in engines:
            engine.claim_soon()
            moved.append(engine.once())
            if not moved[-1] and engine.held:
                engine.wait(10)
                moved[-1] = True
        quiet = 0 if any(moved) else quiet + 1


def passes(engine, count=6):
    def act():
        for _ in range(count):
            engine.claim_soon()
            engine.once()

    return act


def make_due(run):
    past = clock.now() - timedelta(seconds=1)
    StepExecution.objects.of_execution(run.pk).filter(status="WAITING").update(due_at=past)
    ExecutionTimer.objects.filter(pk=run.pk).update(due_at=past)


def reply_workflow():
    return publish(
        control("wait", "wait", {"for": "reply", "key": "{{ event.key }}", "timeout": DAY}),
        act("came"),
        act("gone"),
        edges=[
            {"from": "wait", "to": "came", "branch_key": "default"},
            {"from": "wait", "to": "gone", "branch_key": "timeout"},
        ],
    )


def reply(key, number):
    return lambda: answering.answer_waits("reply", key, {"reply": number}, project=project())


def nothing_is_left():
    return not ExecutionWait.objects.exists() and not ExecutionTimer.objects.exists()


def test_of_many_answers_one_counts_and_is_never_lost(at_once, engines):
    workflow = reply_workflow()
    for number in range(ROUNDS):
        key = f"k{number}"
        run = start(workflow, {"key": key})
        drain(engines[0])

        said = at_once(*[reply(key, n) for n in range(4)], passes(engines[0]), passes(engines[1]))
        drain(*engines)

        assert said[:4].count(1) == 1
        step = StepExecution.objects.of_execution(run.pk).get(step_id="wait")
        assert step.result_data == {"reply": said.index(1)}
        run.refresh_from_db()
        assert run.status == "SUCCESS"
    assert nothing_is_left()


def test_an_answer_and_a_time_limit_decide_one_after_the_other(at_once, engines):
    workflow = reply_workflow()
    for number in range(ROUNDS):
        key = f"k{number}"
        run = start(workflow, {"key": key})
        drain(engines[0])
        make_due(run)

        said = at_once(reply(key, 1), passes(engines[0]), passes(engines[1]))
        drain(*engines)

        taken = StepExecution.objects.of_execution(run.pk).get(step_id="wait").branch
        assert taken == ("default" if said[0] else "timeout")
        run.refresh_from_db()
        assert run.status == "SUCCESS"
    assert nothing_is_left()


def test_an_answer_and_a_cancel_leave_nothing_open(at_once, engines):
    workflow = reply_workflow()
    for number in range(ROUNDS):
        key = f"k{number}"
        run = start(workflow, {"key": key})
        drain(engines[0])

        at_once(reply(key, 1), cancel(run), passes(engines[0]), passes(engines[1]), recovery.reap)
        drain(*engines)
        recovery.reap()

        run.refresh_from_db()
        assert run.status in ("SUCCESS", "CANCELLED")
        open_steps = StepExecution.objects.of_execution(run.pk).filter(status="WAITING")
        assert not open_steps.exists()
    assert nothing_is_left()


def test_an_answer_while_another_branch_is_at_work_is_not_lost(at_once, engines):
    workflow = publish(
        act("a"),
        control("wait", "wait", {"for": "reply", "key": "{{ event.key }}"}),
        act("send", "send"),
        act("more", "send"),
        edges=[
            {"from": "a", "to": "wait", "branch_key": "default"},
            {"from": "a", "to": "send", "branch_key": "default"},
            {"from": "send", "to": "more", "branch_key": "default"},
        ],
    )
    for number in range(ROUNDS):
        key = f"k{number}"
        run = start(workflow, {"key": key})
        engines[0].claim_soon()
        engines[0].once()

        said = at_once(reply(key, 1), passes(engines[0]), passes(engines[1]))
        drain(*engines)

        assert said[0] == 1
        run.refresh_from_db()
        assert run.status == "SUCCESS"
    assert nothing_is_left()


def test_a_person_and_a_time_limit_agree_about_an_approval(at_once, engines):
    workflow = publish(
        control("ok", "approval", {"title": "May I?", "timeout": DAY}),
        act("yes"),
        act("late"),
        edges=[
            {"from": "ok", "to": "yes", "branch_key": "approved"},
            {"from": "ok", "to": "late", "branch_key": "timeout"},
        ],
    )
    for _ in range(ROUNDS):
        run = start(workflow)
        drain(engines[0])
        task = Task.objects.get(execution_id=run.pk)
        make_due(run)

        said = at_once(
            complete(task, "approved"),
            complete(task, "rejected"),
            passes(engines[0]),
            passes(engines[1]),
        )
        drain(*engines)

        task.refresh_from_db()
        branch = StepExecution.objects.of_execution(run.pk).get(step_id="ok").branch
        won = [answer for answer in said[:2] if answer]
        assert len(won) <= 1
        assert branch == (won[0] if won else "timeout")
        assert task.status == ("DONE" if won else "CANCELLED")
        run.refresh_from_db()
        assert run.status == "SUCCESS"
    assert nothing_is_left()


def test_called_runs_end_with_their_callers_whoever_is_first(at_once, engines):
    other = publish(act("send", "send"), control("end", "end", {"output": 1}), name="Other")
    other.live_version, other.is_active = other.versions.get(), True
    other.save()
    caller = publish(control("call", "workflow", {"workflow": other.slug}), act("then"))
    for _ in range(ROUNDS):
        runs = [start(caller) for _ in range(4)]
        engines[0].claim_soon()
        engines[0].once()

        at_once(
            cancel(runs[0]),
            cancel(runs[1]),
            recovery.reap,
            passes(engines[0], 12),
            passes(engines[1], 12),
        )
        drain(*engines)
        recovery.reap()
        drain(*engines)

        left = Execution.objects.exclude(status__in=("SUCCESS", "CANCELLED"))
        assert not left.exists()
        assert Execution.objects.filter(parent_execution__in=[r.pk for r in runs]).count() <= 4
        for run in runs[2:]:
            run.refresh_from_db()
            assert run.status == "SUCCESS"
    assert nothing_is_left()


def cancel(run):
    def act():
        try:
            executions.cancel(Execution(pk=run.pk), user=None)
        except Conflict:
            return False
        return True

    return act


def complete(task, answer):
    def act():
        try:
            human_tasks.complete(Task(pk=task.pk), user=None, answer={"answer": answer})
        except Conflict:
            return None
        return answer

    return act
