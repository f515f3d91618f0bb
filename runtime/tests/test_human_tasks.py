from __future__ import annotations

import pytest

from leadsend.access.models import AuditEntry, Project, Role, Team
from leadsend.lib.errors import Conflict, InvalidInput, NotFound
from runtime import human_tasks
from runtime.models import Task
from runtime.tests.conftest import member

pytestmark = pytest.mark.django_db


@pytest.fixture
def task(project):
    return Task.objects.create(project=project, title="Call Ada")


@pytest.fixture
def sales(project):
    return Team.objects.create(project=project, key="sales_team", name="Sales")


@pytest.fixture
def stranger(db):
    elsewhere = Project.objects.create(name="Other", slug="other")
    return member(elsewhere, "eve@example.org", Role.ADMIN)


def acts():
    return list(AuditEntry.objects.order_by("number").values_list("act", flat=True))


def test_completing_keeps_who_when_and_what_they_answered(task, ana):
    done = human_tasks.complete(task, user=ana, answer={"called": True})

    done.refresh_from_db()
    assert (done.status, done.answer, done.completed_by) == ("DONE", {"called": True}, ana)
    assert done.completed_at is not None
    assert acts() == ["task.complete"]


@pytest.mark.parametrize("again", [None, {"called": True}])
def test_completing_twice_answers_the_same_without_a_second_entry(task, ana, again):
    first = human_tasks.complete(task, user=ana, answer={"called": True})
    second = human_tasks.complete(task, user=ana, answer=again)

    assert (second.answer, second.completed_at) == (first.answer, first.completed_at)
    assert acts() == ["task.complete"]


def test_completing_with_another_answer_afterwards_is_refused(task, ana):
    human_tasks.complete(task, user=ana, answer=1)

    with pytest.raises(Conflict, match=f"done by {ana}"):
        human_tasks.complete(task, user=ana, answer=2)


def test_a_cancelled_task_stays_cancelled(task, ana):
    assert human_tasks.cancel(task, user=ana, reason="moved").status == "CANCELLED"
    assert human_tasks.cancel(task, user=ana).status == "CANCELLED"

    with pytest.raises(Conflict, match="cancelled"):
        human_tasks.complete(task, user=ana)

    assert acts() == ["task.cancel"]


def test_a_done_task_cannot_be_cancelled_or_given_away(task, ana, sales):
    human_tasks.complete(task, user=ana)

    for act in (human_tasks.cancel, human_tasks.reassign):
        with pytest.raises(Conflict):
            act(task, user=ana)


def test_a_task_is_given_to_a_team_and_back_to_a_person(task, ana, sales):
    assert human_tasks.reassign(task, user=ana, team=sales).team == sales
    assert human_tasks.reassign(task, user=ana, team=sales).team == sales
    given = human_tasks.reassign(task, user=ana, assignee=ana)

    assert (given.assignee, given.team) == (ana, None)
    assert acts() == ["task.reassign", "task.reassign"]


def test_nobody_of_another_project_gets_a_task(task, project, ana, stranger):
    with pytest.raises(InvalidInput, match="no member"):
        human_tasks.reassign(task, user=ana, assignee=stranger)
    with pytest.raises(InvalidInput, match="no member"):
        human_tasks.create(project, user=ana, title="x", assignee=stranger)

    assert acts() == []


def test_a_team_of_another_project_gets_no_task(task, ana, stranger):
    theirs = Team.objects.create(
        project=Project.objects.get(slug="other"), key="theirs", name="Theirs"
    )

    with pytest.raises(InvalidInput, match="theirs"):
        human_tasks.reassign(task, user=ana, team=theirs)


def test_a_task_made_by_hand_is_open(project, ana):
    task = human_tasks.create(project, user=ana, title="Call back", assignee=ana)

    assert (task.status, task.assignee, task.effect_key) == ("PENDING", ana, None)
    assert acts() == ["task.create"]


def test_a_task_that_is_gone_is_not_found(task, ana):
    Task.objects.all().delete()

    with pytest.raises(NotFound):
        human_tasks.complete(task, user=ana)
