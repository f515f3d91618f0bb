from __future__ import annotations

import pytest

from leadsend.access.models import Project
from leadsend.lib.errors import InvalidInput, Severity
from workflows import drafts, publishing
from workflows.definition import upgrades
from workflows.models import Workflow
from workflows.problems import problems_of


@pytest.fixture
def make(project, dev):
    """Makes a workflow that calls others: ``make("A", "b")`` calls the one with the slug ``b``."""

    def build(name, *calls, publish=True):
        steps = [
            {"id": f"call_{at}", "kind": "workflow", "cfg": {"workflow": slug}}
            for at, slug in enumerate(calls)
        ] or [{"id": "end", "kind": "end"}]
        document = {"name": name, "triggers": ["manual"], "steps": steps}
        workflow = drafts.create_workflow(project, dev, document)
        if publish:
            publishing.publish(workflow, user=dev)
        workflow.refresh_from_db()
        return workflow

    return build


def codes(workflow):
    found = problems_of(workflow, upgrades.read(workflow.draft))
    return [(problem.code, problem.path, problem.severity) for problem in found]


def test_a_workflow_may_call_another_by_slug_or_id(make):
    other = make("Other")

    assert codes(make("By slug", other.slug)) == []
    assert codes(make("By id", str(other.pk))) == []


def test_one_that_is_not_there_refuses_publishing_with_the_place(make):
    with pytest.raises(InvalidInput, match="no workflow “nowhere”") as refused:
        make("A", "nowhere")

    assert refused.value.problems[0].path == "/steps/0/cfg/workflow"
    assert refused.value.problems[0].step_id == "call_0"


def test_one_that_is_not_live_is_a_warning(make):
    other = make("Other", publish=False)

    assert codes(make("A", other.slug)) == [
        ("workflow_not_live", "/steps/0/cfg/workflow", "warning")
    ]


def test_a_workflow_that_calls_itself_refuses_publishing(make):
    workflow = make("A", "a", publish=False)
    assert workflow.slug == "a"

    assert [code for code, _, _ in codes(workflow)] == ["calls_itself"]


def test_a_circle_over_live_versions_refuses_publishing(make, dev):
    make("A", publish=False)
    make("B", "a")
    make("C", "b")
    first = make("A again", "c", publish=False)
    Workflow.objects.filter(slug="a").update(slug="old")
    Workflow.objects.filter(pk=first.pk).update(slug="a")
    first.refresh_from_db()

    with pytest.raises(InvalidInput, match="A again → C → B → A again"):
        publishing.publish(first, user=dev)


@pytest.fixture
def handled_by(project, dev):
    def build(handler, name="Handled"):
        document = {
            "name": name,
            "triggers": ["manual"],
            "steps": [{"id": "end", "kind": "end"}],
            "settings": {"on_failure": handler},
        }
        return drafts.create_workflow(project, dev, document)

    return build


def test_failures_may_be_handled_by_another_by_slug_or_id(make, handled_by):
    other = make("Handler")

    assert codes(handled_by(other.slug, "By slug")) == []
    assert codes(handled_by(str(other.pk), "By id")) == []


def test_a_handler_that_is_not_there_refuses_publishing_with_the_place(handled_by, dev):
    with pytest.raises(InvalidInput, match="no workflow “nowhere”") as refused:
        publishing.publish(handled_by("nowhere"), user=dev)

    assert refused.value.problems[0].path == "/settings/on_failure"


def test_a_handler_that_is_not_live_is_a_warning(make, handled_by):
    other = make("Handler", publish=False)

    expected = [("workflow_not_live", "/settings/on_failure", Severity.WARNING)]
    assert codes(handled_by(other.slug)) == expected


def test_a_handler_of_another_project_is_not_there(make, handled_by, dev):
    other = make("Handler")
    elsewhere = Project.objects.create(name="Elsewhere", slug="elsewhere")
    Workflow.objects.filter(pk=other.pk).update(project=elsewhere)

    assert codes(handled_by(str(other.pk)))[0][0] == "unknown_workflow"
