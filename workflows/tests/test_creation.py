from __future__ import annotations

from uuid import uuid4

import pytest

from leadsend.lib.errors import Conflict, InvalidInput, NotFound
from workflows import creation, drafts, publishing
from workflows.models import Workflow, WorkflowEdge, WorkflowStep

pytestmark = pytest.mark.django_db

MAIL = {"kind": "action", "action_key": "email_send", "cfg": {"template": "welcome"}}
TASK = {
    "kind": "action",
    "action_key": "task_management",
    "cfg": {"operation": "create", "title": "Follow up lead"},
}


@pytest.fixture
def opened(project, dev):
    workflow = drafts.create_workflow(
        project, dev, {"name": "Lead Processing", "category": "automation"}
    )
    return creation.open_version(workflow, version_num=1)


def _all():
    return Workflow.objects.all()


def test_the_creation_flow_makes_rows_whose_ids_stay(opened, dev):
    first = creation.add_step(opened, MAIL, user=dev)
    second = creation.add_step(opened, TASK, user=dev)
    _, edge = creation.add_edge(
        _all(),
        from_step_id=opened.step_id(first["id"]),
        to_step_id=opened.step_id(second["id"]),
        branch_key="default",
        version_id=None,
        user=dev,
    )

    version = publishing.publish(opened.workflow, user=dev)

    assert (version.pk, version.version_num, version.s3_key) == (opened.id, 1, opened.s3_key)
    assert {step.pk for step in WorkflowStep.objects.all()} == {
        opened.step_id("email_send"),
        opened.step_id("task_management"),
    }
    assert WorkflowEdge.objects.get().pk == opened.edge_id(edge)


def test_opening_twice_gives_the_same_version(opened):
    assert creation.open_version(opened.workflow).id == opened.id


@pytest.mark.parametrize("sent", [{"version_num": 2}, {"s3_key": "s3://elsewhere/x.json"}])
def test_a_version_with_another_number_or_address_is_refused(opened, sent):
    with pytest.raises(InvalidInput, match="The next version has"):
        creation.open_version(opened.workflow, **sent)


def test_an_edge_sent_twice_stands_once(opened, dev):
    step = creation.add_step(opened, TASK, user=dev)
    ends = {"from_step_id": opened.step_id(step["id"]), "to_step_id": opened.step_id(step["id"])}

    for _ in range(2):
        creation.add_edge(_all(), **ends, branch_key="x", version_id=opened.id, user=dev)

    assert len(drafts.document_of(Workflow.objects.get())["edges"]) == 1


def test_steps_of_the_draft_are_changed_and_removed(opened, dev):
    step = creation.add_step(opened, TASK, user=dev)
    found, same = creation.find_step(_all(), opened.step_id(step["id"]))

    changed = creation.change_step(found, same, {"title": "Call", "cfg": {"title": "x"}}, user=dev)
    assert (changed["title"], changed["cfg"]) == ("Call", {"title": "x"})

    creation.remove_step(found, changed, user=dev)
    assert drafts.document_of(Workflow.objects.get())["steps"] == []


def test_after_publishing_rows_never_change(opened, dev):
    step = creation.add_step(opened, TASK, user=dev)
    publishing.publish(opened.workflow, user=dev)

    with pytest.raises(Conflict, match="never changes"):
        creation.find_open(_all(), opened.id)
    with pytest.raises(Conflict, match="never changes"):
        creation.find_step(_all(), opened.step_id(step["id"]))


def test_unknown_rows_are_not_found(opened, dev):
    step = creation.add_step(opened, TASK, user=dev)
    for find in (creation.find_open, creation.find_step, creation.find_edge):
        with pytest.raises(NotFound):
            find(_all(), uuid4())
    with pytest.raises(InvalidInput, match="no step"):
        creation.add_edge(
            _all(),
            from_step_id=opened.step_id(step["id"]),
            to_step_id=uuid4(),
            branch_key="default",
            version_id=None,
            user=dev,
        )


def test_versions_of_others_are_not_found(opened):
    with pytest.raises(NotFound):
        creation.find_open(Workflow.objects.none(), opened.id)
