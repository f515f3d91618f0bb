from __future__ import annotations

from hypothesis import given

from workflows.definition.operations import apply
from workflows.definition.shorthand import expand
from workflows.definition.summary import describe_changes
from workflows.definition.tests.strategies import documents

DOCUMENT = expand(
    {
        "name": "Pipeline",
        "steps": [
            {"id": "hot", "kind": "condition", "cfg": {"all": []}},
            {"id": "mail", "kind": "action", "action_key": "email_send", "title": "Welcome"},
        ],
        "triggers": ["webhook"],
        "variables": {"score": 50},
    }
)


def _after(*operations):
    return describe_changes(DOCUMENT, apply(DOCUMENT, list(operations))[0])


def test_equal_documents_have_no_changes():
    assert describe_changes(DOCUMENT, DOCUMENT) == []


def test_a_changed_setting_is_told_with_both_values():
    path = {"op": "set", "step": "mail", "path": "/cfg/to"}
    old, _ = apply(DOCUMENT, [path | {"value": "a@x.org"}])
    new, _ = apply(DOCUMENT, [path | {"value": "b@x.org"}])

    assert describe_changes(old, new) == [
        "Changed the setting “To” of “Welcome” from “a@x.org” to “b@x.org”."
    ]
    assert describe_changes(DOCUMENT, new) == ["Set the setting “To” of “Welcome” to “b@x.org”."]


def test_steps_and_links_are_told_by_their_titles():
    sentences = _after(
        {"op": "remove_step", "id": "mail"}, {"op": "set_meta", "path": "/name", "value": "P2"}
    )

    assert sentences == [
        "Changed the name from “Pipeline” to “P2”.",
        "Removed the step “Welcome”.",
        "“hot” and “Welcome” no longer follow each other on the branch “yes”.",
    ]


def test_a_new_step_is_told_with_its_action():
    step = {"id": "task", "kind": "action", "action_key": "task_create"}
    edge = {"from": "mail", "to": "task"}

    assert _after({"op": "add_step", "step": step}, {"op": "add_edge", "edge": edge}) == [
        "Added the step “task” (task_create).",
        "After “Welcome” comes “task”.",
    ]


def test_variables_and_triggers_are_told():
    assert _after(
        {"op": "set_variable", "variable": "score", "path": "/value", "value": 70},
        {"op": "remove_trigger", "id": "webhook"},
        {"op": "set_settings", "path": "/timezone", "value": "Europe/Berlin"},
    ) == [
        "Removed the trigger “webhook”.",
        "Changed the “Value” of “score” from 50 to 70.",
        "Set the setting “Timezone” to “Europe/Berlin”.",
    ]


@given(documents(), documents())
def test_changes_are_told_exactly_when_there_are_some(before, after):
    assert bool(describe_changes(before, after)) == (before != after)
