from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadsend.lib.errors import InvalidInput
from workflows.definition import canonical
from workflows.definition.operations import apply
from workflows.definition.shorthand import expand
from workflows.definition.tests.strategies import documents, json_values

DOCUMENT = expand(
    {
        "name": "Pipeline",
        "steps": [
            {"id": "hot", "kind": "condition", "cfg": {"all": []}},
            {"id": "mail", "kind": "action", "action_key": "email_send", "cfg": {"to": "a"}},
            {"id": "task", "kind": "action", "action_key": "task_create"},
        ],
        "triggers": ["webhook"],
        "variables": {"score": 50},
    }
)
_PATHS = st.sampled_from(
    ["/cfg", "/cfg/to", "/cfg/a/b", "/cfg/list/0", "/cfg/list/-", "/title", "/join", "/kind",
     "/retry/attempts", "/name", "/tags", "/tags/0", "/description", "/timezone", "/value",
     "/filter_conditions/all", "/secret", "", "/id", "x"]
)  # fmt: skip
_IDS = st.sampled_from([*"abcdefgh", "t0", "t1", "v0", "new"])
_EDGE = st.fixed_dictionaries(
    {"from": _IDS, "to": _IDS}, optional={"branch_key": st.sampled_from(["yes", "error"])}
)
_AT = {"at": st.integers(0, 5)}


def _operation(op, fields, optional=None):
    return st.fixed_dictionaries({"op": st.just(op), **fields}, optional=optional)


def _set(op, fields):
    optional = {"value": json_values(5), "insert": st.booleans(), "unset": st.booleans()}
    return _operation(op, {**fields, "path": _PATHS}, optional)


OPERATIONS = st.one_of(
    _operation(
        "add_step", {"step": st.fixed_dictionaries({"id": _IDS, "cfg": json_values(4)})}, _AT
    ),
    _operation("remove_step", {"id": _IDS}),
    _operation("move_step", {"id": _IDS, **_AT}),
    _operation("rename", {"step": _IDS, "title": st.text("ab", max_size=2)}),
    _operation("add_edge", {"edge": _EDGE}, _AT),
    _operation("remove_edge", {"edge": _EDGE}),
    _operation("add_trigger", {"trigger": st.fixed_dictionaries({"id": _IDS})}, _AT),
    _operation("remove_trigger", {"id": _IDS}),
    _operation("add_variable", {"variable": st.fixed_dictionaries({"key": _IDS})}, _AT),
    _operation("remove_variable", {"key": _IDS}),
    _operation("replace", {"document": documents()}),
    _set("set", {"step": _IDS}),
    _set("set_trigger", {"trigger": _IDS}),
    _set("set_variable", {"variable": _IDS}),
    _set("set_settings", {}),
    _set("set_meta", {}),
)


@given(documents(), st.lists(OPERATIONS, max_size=12))
def test_operations_undo_exactly(document, operations):
    changed = document
    undo: list[dict[str, Any]] = []
    for operation in operations:
        try:
            changed, inverse = apply(changed, [operation])
        except InvalidInput:
            continue
        undo = [*inverse, *undo]

    restored, redo = apply(changed, undo)

    assert restored == document
    assert canonical.dump(restored) == canonical.dump(document)
    assert apply(restored, redo)[0] == changed


@given(documents(), st.lists(json_values(), max_size=3))
def test_any_json_is_applied_or_refused_with_its_place(document, operations):
    paths = ["/operations/0"]
    try:
        apply(document, operations)
    except InvalidInput as refusal:
        paths = [problem.path for problem in refusal.problems]

    assert all(path.startswith("/operations/") for path in paths)


def test_a_removed_step_takes_its_edges_along_and_comes_back_with_them():
    without, undo = apply(DOCUMENT, [{"op": "remove_step", "id": "mail"}])

    assert [step["id"] for step in without["steps"]] == ["hot", "task"]
    assert without["edges"] == []
    assert apply(without, undo)[0] == DOCUMENT


def test_the_given_document_is_not_touched():
    before = canonical.dump(DOCUMENT)

    apply(DOCUMENT, [{"op": "set", "step": "mail", "path": "/cfg/to", "value": "b"}])

    assert canonical.dump(DOCUMENT) == before


def test_all_operations_are_applied_or_none():
    with pytest.raises(InvalidInput) as refusal:
        apply(DOCUMENT, [{"op": "remove_step", "id": "mail"}, {"op": "remove_step", "id": "mail"}])

    assert refusal.value.problems[0].path == "/operations/1"


def test_renaming_changes_the_title_and_keeps_the_id():
    renamed, _ = apply(DOCUMENT, [{"op": "rename", "step": "mail", "title": "Welcome"}])

    assert renamed["steps"][1]["id"] == "mail"
    assert renamed["steps"][1]["title"] == "Welcome"


@pytest.mark.parametrize(
    ("operation", "sentence"),
    [
        ({"op": "remove_stp", "id": "mail"}, "Did you mean “remove_step”"),
        ({"op": "remove_step", "id": "mial"}, "Did you mean “mail”"),
        ({"op": "remove_step"}, "needs “id”"),
        ({"op": "add_step", "step": {"id": "mail"}}, "already a step “mail”"),
        ({"op": "set", "step": "mail", "path": "/id", "value": "x"}, "never changes"),
        ({"op": "set", "step": "mail", "path": "cfg", "value": "x"}, "starts with a slash"),
        ({"op": "set", "step": "mail", "path": "/cfg/to/x", "value": 1}, "cannot be set inside"),
        ({"op": "set_meta", "path": "/format", "value": 2}, "not “format”"),
        ({"op": "move_step", "id": "mail", "at": 3}, "from 0 to 2"),
        ({"op": "rename", "step": "mail", "titel": "x"}, "Did you mean “title”"),
    ],
)
def test_a_refusal_says_what_to_change(operation, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        apply(DOCUMENT, [operation])
