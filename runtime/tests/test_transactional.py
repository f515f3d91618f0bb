from __future__ import annotations

import pytest
from django.db import connection

from leadsend.access.models import Membership, Team, User
from leadsend.lib import ids
from leadsend.lib.errors import ConfigurationError, PermanentError
from registry.sdk.action import Apply
from runtime import transactional
from runtime.models import Task
from runtime.tests.driving import project, publish

pytestmark = pytest.mark.django_db


def make(*writes):
    """Make ``(act, arguments)`` pairs, each with a key of its own; return outputs and errors."""
    given = [(place(), Apply(act=act, arguments=arguments)) for act, arguments in writes]
    return transactional.make_all(raw(), given)


def place(key=None):
    return transactional.Place(
        project_id=project().pk,
        workflow_id=publish().pk,
        execution_id=ids.uuid7(),
        step_id="t",
        business_key="ada",
        effect_key=key or ids.uuid7(),
    )


def raw():
    connection.ensure_connection()
    return connection.connection


def test_a_task_goes_to_a_member_by_email_in_any_letter_case():
    ana = User.objects.create_user("ana@example.org")
    Membership.objects.create(project=project(), user=ana)

    (output,) = make(("task.create", {"title": "Call", "assignee": "Ana@Example.org"}))

    assert Task.objects.get().assignee == ana
    assert output["title"] == "Call"
    assert output["status"] == "PENDING"


def test_a_user_who_is_no_member_is_refused():
    User.objects.create_user("eve@example.org")

    (error,) = make(("task.create", {"assignee": "eve@example.org"}))

    assert isinstance(error, ConfigurationError)
    assert error.code == "assignee_unknown"


def test_the_same_step_makes_its_task_once_and_gets_the_same_answer():
    key = ids.uuid7()
    write = Apply(act="task.create", arguments={"title": "Call"})

    (first,) = transactional.make_all(raw(), [(place(key), write)])
    (second,) = transactional.make_all(raw(), [(place(key), write)])

    assert Task.objects.count() == 1
    assert first == second


def test_one_refused_task_does_not_take_the_batch_along():
    outputs = make(
        ("task.create", {"title": "a"}),
        ("task.create", {"title": "b", "priority": "urgent"}),
        ("task.create", {"title": "c\x00d", "due_at": "2026-03-04T09:00:00+00:00"}),
    )

    assert isinstance(outputs[1], ConfigurationError)
    assert sorted(Task.objects.values_list("title", flat=True)) == ["a", "c\ufffdd"]
    assert outputs[2]["due_at"] == "2026-03-04T09:00:00+00:00"


def test_a_task_is_changed_handed_over_and_completed():
    Team.objects.create(project=project(), key="sales_team", name="Sales")
    (made,) = make(("task.create", {"title": "Call"}))
    task = {"task_id": made["task_id"]}

    outputs = make(
        ("task.update", {**task, "changes": {"title": "Call again", "priority": "high"}}),
        ("task.reassign", {**task, "assignee": "sales_team"}),
        ("task.complete", {**task, "answer": {"sold": True}}),
        ("task.complete", {**task, "answer": {"sold": False}}),
    )

    assert [output["status"] for output in outputs] == ["PENDING", "PENDING", "DONE", "DONE"]
    found = Task.objects.get()
    assert (found.title, found.priority, found.answer) == ("Call again", "high", {"sold": True})
    assert outputs[1]["assignee"] == "sales_team"


def test_a_cancelled_task_cannot_be_completed():
    (made,) = make(("task.create", {"title": "Call"}))
    Task.objects.update(status="CANCELLED")

    (error,) = make(("task.complete", {"task_id": made["task_id"], "answer": None}))

    assert isinstance(error, PermanentError)
    assert Task.objects.get().status == "CANCELLED"


@pytest.mark.parametrize("task_id", ["", "nonsense", "01a20fce-593f-7030-aa7d-a7fface7b333"])
def test_a_task_that_is_not_there_is_a_matter_of_configuration(task_id):
    (error,) = make(("task.update", {"task_id": task_id, "changes": {}}))

    assert isinstance(error, ConfigurationError)
    assert error.code == "task_unknown"


def test_an_unknown_act_is_refused():
    (error,) = make(("lead.destroy", {}))

    assert error.code == "act_unknown"
