from __future__ import annotations

import pytest
from hypothesis import given

from leadsend.lib.errors import InvalidInput
from workflows.definition import canonical
from workflows.definition.shorthand import expand
from workflows.definition.tests.strategies import documents, json_values

OVERVIEW = {
    "name": "Lead Processing Pipeline",
    "steps": [
        {"kind": "action", "action_key": "email_send", "cfg": {"template": "welcome"}},
        {"kind": "action", "action_key": "task_create", "cfg": {"assignee": "sales_team"}},
    ],
    "triggers": ["lead_sources_db_change"],
}


def test_the_payload_of_the_overview_document_becomes_a_full_document():
    document = expand(OVERVIEW)

    assert [step["id"] for step in document["steps"]] == ["email_send", "task_create"]
    assert document["edges"] == [
        {"from": "email_send", "to": "task_create", "branch_key": "default"}
    ]
    assert document["triggers"] == [
        {
            "id": "lead_sources_db_change",
            "trigger_key": "lead_sources_db_change",
            "cfg": {},
            "filter_conditions": {},
        }
    ]
    assert document["format"] == 1


def test_ids_are_readable_and_unique():
    steps = [
        {"action_key": "email_send"},
        {"kind": "action", "action_key": "email_send"},
        {"kind": "action", "action_key": "x", "title": "Begrüße den Lead!"},
        {"kind": "end"},
        {"kind": "action", "id": "email_send_3", "action_key": "email_send"},
        {"kind": "action", "title": "In", "action_key": "x"},
    ]

    ids = [step["id"] for step in expand({"name": "A", "steps": steps})["steps"]]

    assert ids == [
        "email_send", "email_send_2", "begrusse_den_lead", "end", "email_send_3", "action_in",
    ]  # fmt: skip


def test_a_chain_goes_on_where_a_condition_says_yes():
    steps = [{"kind": "condition", "cfg": {}}, {"action_key": "email_send"}]

    assert expand({"steps": steps})["edges"] == [
        {"from": "condition", "to": "email_send", "branch_key": "yes"}
    ]


def test_parallel_steps_of_a_full_document_are_no_chain():
    steps = [{"id": "a", "kind": "end"}, {"id": "b", "kind": "end"}]

    assert expand({"format": 1, "name": "A", "steps": steps})["edges"] == []
    assert expand({"name": "A", "steps": steps, "edges": []})["edges"] == []
    assert len(expand({"name": "A", "steps": steps})["edges"]) == 1


@pytest.mark.parametrize(
    ("cfg", "full"),
    [
        ({"for": "1d"}, {"for": {"value": 1, "unit": "days"}}),
        ({"for": "2h 30m"}, {"for": {"value": 150, "unit": "minutes"}}),
        ({"for": "PT1H"}, {"for": {"value": 1, "unit": "hours"}}),
        ("P1W", {"for": {"value": 1, "unit": "weeks"}}),
        ({"for": "soon"}, {"for": "soon"}),
        ({"for": "{{ vars.wait }}"}, {"for": "{{ vars.wait }}"}),
        ({"until": "{{ event.at }}"}, {"until": "{{ event.at }}"}),
    ],
)
def test_spans_of_time_may_be_written_short(cfg, full):
    document = expand({"steps": [{"kind": "delay", "cfg": cfg}]})

    assert document["steps"][0]["cfg"] == full


def test_one_comparison_and_a_dict_of_variables_are_enough():
    clause = {"left": "{{ event.score }}", "op": "gt", "right": 3}
    document = expand(
        {"steps": [{"kind": "condition", "cfg": clause}], "variables": {"hot": 50, "on": True}}
    )

    assert document["steps"][0]["cfg"] == {"all": [clause]}
    assert document["variables"] == [
        {"key": "hot", "type": "number", "value": 50, "secret": False},
        {"key": "on", "type": "boolean", "value": True, "secret": False},
    ]


@given(documents())
def test_a_full_document_stays_as_it_is(document):
    assert canonical.dump(expand(document)) == canonical.dump(document)
    assert expand(expand(document)) == expand(document)


@given(json_values())
def test_expanding_twice_changes_nothing(value):
    try:
        once = expand({"name": "A", "steps": value if isinstance(value, list) else [value]})
    except InvalidInput:
        return
    assert expand(once) == once


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ([], ""),
        ("x", ""),
        ({"steps": {}}, "/steps"),
        ({"steps": [1]}, "/steps/0"),
        ({"steps": [], "edges": ["a"]}, "/edges/0"),
        ({"triggers": [["webhook"]]}, "/triggers/0"),
        ({"variables": "x"}, "/variables"),
        ({"steps": None}, "/steps"),
    ],
)
def test_what_cannot_be_kept_as_a_draft_is_refused_with_its_place(data, path):
    with pytest.raises(InvalidInput) as refusal:
        expand(data)

    assert refusal.value.problems[0].path == path
