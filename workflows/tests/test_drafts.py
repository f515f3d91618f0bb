from __future__ import annotations

import pytest

from leadsend.lib.errors import Conflict, InvalidInput
from workflows import drafts, variables
from workflows.definition import canonical
from workflows.models import DraftChange, Workflow, WorkflowVariable

pytestmark = pytest.mark.django_db

RENAME = {"op": "set_meta", "path": "/name", "value": "Pipeline 2"}
SECRET = "canary-7f3a91"


def test_the_draft_is_the_canonical_document(workflow):
    document = drafts.document_of(workflow)

    assert [step["id"] for step in document["steps"]] == ["email_send", "task_create"]
    assert workflow.draft == canonical.dump(document).decode()
    assert (workflow.name, workflow.slug) == (
        "Lead Processing Pipeline",
        "lead-processing-pipeline",
    )
    assert workflow.revision == 1


def test_a_second_workflow_of_the_same_name_gets_another_slug(workflow, project, dev, overview):
    second = drafts.create_workflow(project, dev, overview)

    assert second.slug.startswith("lead-processing-pipeline-")


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ([], ""),
        ({}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"name": "a\x00b"}, "/name"),
        ({"name": "a", "tags": "b"}, "/tags"),
        ({"name": "a", "category": "c" * 81}, "/category"),
        ({"name": "a", "steps": {}}, "/steps"),
        ({"name": "a", "variables": {"k" * 81: 1}}, "/variables/0"),
        ({"name": "a", "variables": {"k": 2**60}}, "/variables/k"),
    ],
)
def test_what_is_no_draft_is_refused_and_nothing_is_kept(project, dev, data, path):
    with pytest.raises(InvalidInput) as refusal:
        drafts.create_workflow(project, dev, data)

    assert refusal.value.problems[0].path == path
    assert Workflow.objects.count() == 0


def test_operations_change_the_draft_and_their_inverse_restores_it(workflow, dev):
    before = workflow.draft

    undo = drafts.apply(workflow, [RENAME], user=dev, revision=1)

    assert (workflow.name, workflow.revision) == ("Pipeline 2", 2)
    drafts.apply(workflow, undo, user=dev, revision=2)
    assert workflow.draft == before
    assert workflow.revision == 3


def test_a_change_on_an_old_revision_is_refused_and_tells_what_changed(workflow, dev):
    drafts.apply(workflow, [RENAME], user=dev, revision=1)

    with pytest.raises(Conflict) as refusal:
        drafts.apply(workflow, [{"op": "remove_step", "id": "email_send"}], user=dev, revision=1)

    assert "Dev: Changed the name from “Lead Processing Pipeline”" in refusal.value.message
    assert "revision 2, not 1" in refusal.value.message
    workflow.refresh_from_db()
    assert workflow.revision == 2


def test_a_change_that_changes_nothing_makes_no_revision(workflow, dev):
    drafts.apply(workflow, [RENAME | {"value": workflow.name}], user=dev)

    assert workflow.revision == 1
    assert DraftChange.objects.count() == 0


def test_a_draft_is_replaced_as_a_whole_and_comes_back(workflow, dev):
    before = workflow.draft

    undo = drafts.replace(
        workflow, {"name": "New", "steps": [{"kind": "end"}]}, user=dev, revision=1
    )

    assert drafts.document_of(workflow)["steps"] == [{"id": "end", "kind": "end", "cfg": {}}]
    drafts.apply(workflow, undo, user=dev)
    assert workflow.draft == before


def test_a_workflow_in_the_bin_cannot_be_changed(workflow, dev):
    Workflow.objects.update(deleted_at=workflow.created_at)

    with pytest.raises(Conflict, match="in the bin"):
        drafts.apply(workflow, [RENAME], user=dev)


def test_variables_have_rows_that_follow_the_draft(project, dev, overview):
    workflow = drafts.create_workflow(project, dev, overview | {"variables": {"hot": 50, "x": "y"}})

    drafts.apply(
        workflow,
        [
            {"op": "set_variable", "variable": "hot", "path": "/value", "value": 60},
            {"op": "remove_variable", "key": "x"},
        ],
        user=dev,
    )

    assert list(workflow.variables.values_list("key", "type", "value")) == [("hot", "number", 60)]


def _all_text():
    rows = [
        *Workflow.objects.values(),
        *DraftChange.objects.values(),
        *WorkflowVariable.objects.values(),
    ]
    return repr(rows)


def test_the_value_of_a_secret_variable_is_sealed_and_in_no_document(project, dev, overview):
    data = overview | {"variables": [{"key": "api_key", "secret": True, "value": SECRET}]}

    workflow = drafts.create_workflow(project, dev, data)

    document = drafts.document_of(workflow)
    assert document["variables"] == [{"key": "api_key", "type": "text", "secret": True}]
    assert SECRET not in _all_text()
    assert variables.values_of(workflow.pk, document) == {"api_key": SECRET}


def test_a_secret_set_by_operations_leaves_no_trace(workflow, dev):
    add = {"op": "add_variable", "variable": {"key": "k", "secret": True, "value": SECRET}}
    change = {"op": "set_variable", "variable": "k", "path": "/value", "value": SECRET + "2"}

    drafts.apply(workflow, [add], user=dev)
    drafts.apply(workflow, [change], user=dev)

    assert SECRET not in _all_text()
    values = variables.values_of(workflow.pk, drafts.document_of(workflow))
    assert values == {"k": SECRET + "2"}


def test_a_secret_set_twice_or_made_of_an_open_value_leaves_no_trace(workflow, dev):
    def value(text):
        return {"op": "set_variable", "variable": "k", "path": "/value", "value": text}

    secret = {"op": "set_variable", "variable": "k", "path": "/secret", "value": True}
    drafts.apply(workflow, [{"op": "add_variable", "variable": {"key": "k"}}], user=dev)

    undo = drafts.apply(workflow, [value(SECRET), secret, value(SECRET + "2")], user=dev)
    twice = drafts.apply(workflow, [value(SECRET + "3"), value(SECRET + "4")], user=dev)

    assert SECRET not in _all_text() + repr([undo, twice])
    drafts.apply(workflow, undo, user=dev)
    assert drafts.document_of(workflow)["variables"] == [
        {"key": "k", "type": "text", "secret": False}
    ]


def test_an_open_value_that_is_made_secret_is_not_told_in_the_change(workflow, dev):
    add = {"op": "add_variable", "variable": {"key": "k", "value": SECRET}}
    drafts.apply(workflow, [add], user=dev)

    drafts.apply(
        workflow,
        [{"op": "set_variable", "variable": "k", "path": "/secret", "value": True}],
        user=dev,
    )

    change = DraftChange.objects.get(revision=workflow.revision)
    assert SECRET not in workflow.draft + repr([change.undo, change.summary])


def test_a_replaced_draft_keeps_the_secrets_it_names(workflow, dev):
    variable = {"key": "k", "secret": True}
    drafts.replace(workflow, {"name": "A", "variables": [variable | {"value": SECRET}]}, user=dev)

    drafts.replace(workflow, {"name": "B", "variables": [variable]}, user=dev)

    assert variables.values_of(workflow.pk, drafts.document_of(workflow)) == {"k": SECRET}


def test_a_secret_is_text(project, dev):
    with pytest.raises(InvalidInput, match="must be text"):
        drafts.create_workflow(
            project, dev, {"name": "A", "variables": [{"key": "k", "secret": True, "value": 5}]}
        )

    assert Workflow.objects.count() == 0
