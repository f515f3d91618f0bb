"""Tasks as events: done in the same transaction, overdue once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from leadsend.lib import clock
from leadsend.testing.dispatching import dispatch_all
from runtime import human_tasks
from runtime.models import Execution, Task
from triggers import task_events
from triggers.models import TriggerEvent
from triggers.tests.making import make_project, on_connections

pytestmark = pytest.mark.django_db(transaction=True)


def make_task(project, **fields):
    return human_tasks.create(project, user=None, title="Call Ada", **fields)


def test_a_task_that_is_done_starts_who_listens_once(project, dev, make_workflow):
    workflow = make_workflow("task_done")
    task = make_task(project, assignee=dev, due_at=clock.now())
    for _ in range(2):
        human_tasks.complete(task, user=dev, answer={"reached": True})
    dispatch_all()

    run = Execution.objects.get()
    assert run.workflow_id == workflow.pk
    assert run.context_data["answer"] == {"reached": True}
    told = run.context_data["task"]
    assert (told["id"], told["title"], told["status"]) == (str(task.pk), "Call Ada", "DONE")
    assert told["assignee"] == dev.email


def test_a_cancelled_task_and_one_nobody_listens_to_tell_nothing(project, dev, make_workflow):
    human_tasks.complete(make_task(project), user=dev)
    make_workflow("task_done")
    human_tasks.cancel(make_task(project), user=dev)

    assert not TriggerEvent.objects.exists()


def test_a_task_is_overdue_once(project, make_workflow, dev):
    make_workflow("task_overdue")
    late = make_task(project, due_at=clock.now() - timedelta(minutes=1), assignee=dev)
    make_task(project, due_at=clock.now() + timedelta(hours=1))
    make_task(project)

    assert sum(on_connections(*[task_events.tell_overdue] * 4)) == 1
    assert on_connections(task_events.tell_overdue) == [0]
    dispatch_all()

    told = Execution.objects.get().context_data["task"]
    assert (told["id"], told["status"], told["assignee"]) == (str(late.pk), "PENDING", dev.email)


def test_who_listens_later_does_not_hear_of_what_was_overdue_before(project, make_workflow):
    make_task(project, due_at=clock.now() - timedelta(days=1))
    on_connections(task_events.tell_overdue)
    make_workflow("task_overdue")

    assert on_connections(task_events.tell_overdue) == [0]
    assert Task.objects.get().overdue_told_at is not None


def test_a_done_task_is_not_overdue(project, make_workflow, dev):
    make_workflow("task_overdue")
    task = make_task(project, due_at=clock.now() - timedelta(minutes=1))
    human_tasks.complete(task, user=dev)

    assert on_connections(task_events.tell_overdue) == [0]


def test_tasks_of_other_projects_start_nothing(project, make_workflow, dev):
    make_workflow("task_overdue")
    make_task(make_project("other"), due_at=clock.now() - timedelta(minutes=1))

    assert on_connections(task_events.tell_overdue) == [0]
