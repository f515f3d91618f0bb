from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from leadsend.lib.errors import Severity
from workflows.definition import schema
from workflows.definition.shorthand import expand
from workflows.definition.tests.catalog import Catalog
from workflows.definition.tests.strategies import documents, json_values
from workflows.definition.validation import MAX_PROBLEMS, errors_of, validate

FORM: dict[str, Any] = {
    "id": "new_lead",
    "trigger_key": "form",
    "filter_conditions": {"all": [{"left": "{{ event.email }}", "op": "is_not_empty"}]},
}
GOOD: dict[str, Any] = {
    "format": 1,
    "name": "Lead Processing Pipeline",
    "settings": {"timezone": "Europe/Berlin", "business_key": "{{ event.email }}"},
    "variables": [{"key": "hot_score", "type": "number", "value": 50}],
    "triggers": [FORM],
    "steps": [
        {
            "id": "hot",
            "kind": "condition",
            "cfg": {
                "all": [{"left": "{{ event.score }}", "op": "gt", "right": "{{ vars.hot_score }}"}]
            },
        },
        {
            "id": "welcome",
            "kind": "action",
            "action_key": "email_send",
            "cfg": {"to": "{{ event.email }}", "template": "welcome"},
            "retry": {"attempts": 5},
        },
        {"id": "wait", "kind": "delay", "cfg": {"for": {"value": 1, "unit": "days"}}},
        {
            "id": "task",
            "kind": "action",
            "action_key": "task_management",
            "cfg": {"title": "Mail {{ steps.welcome.output.message_id }}", "operation": "create"},
        },
        {"id": "done", "kind": "end", "cfg": {"status": "success", "output": "{{ event.score }}"}},
    ],
    "edges": [
        {"from": "hot", "to": "welcome", "branch_key": "yes"},
        {"from": "welcome", "to": "wait"},
        {"from": "wait", "to": "task"},
        {"from": "task", "to": "done"},
    ],
}


def _found(document):
    return {(p.code, p.path) for p in validate(document, catalog=Catalog())}


def _changed(path, value):
    document = copy.deepcopy(GOOD)
    *way, last = path
    holder: Any = document
    for part in way:
        holder = holder[part]
    if value is KeyError:
        del holder[last]
    else:
        holder[last] = value
    return document


def test_a_good_document_has_no_problems():
    assert validate(GOOD, catalog=Catalog()) == []
    assert validate(expand(GOOD), catalog=Catalog()) == []


def test_the_published_schema_accepts_it_and_is_a_schema():
    whole = schema.document_schema()

    Draft202012Validator.check_schema(whole)
    assert list(Draft202012Validator(whole).iter_errors(GOOD)) == []
    assert list(Draft202012Validator(whole).iter_errors(_changed(("steps", 0, "kid"), 1)))


@pytest.mark.parametrize(
    ("path", "value", "code", "where", "sentence"),
    [
        (("name",), "", "form", "/name", "“name” is empty: fill it in."),
        (("nmae",), "x", "unknown_key", "/nmae", "Did you mean “name”?"),
        (("settings", "timezone"), "Europe/Berln", "unknown_timezone", "/settings/timezone", "Europe/Berlin"),
        (("settings", "timeout"), 1, "unknown_key", "/settings/timeout", "Did you mean “timeout_s”?"),
        (("variables", 0, "value"), "x", "wrong_type", "/variables/0/value", "no number"),
        (("variables", 0, "secret"), True, "secret_with_value", "/variables/0/value", "take it out"),
        (("variables", 0, "key"), "in", "reserved_id", "/variables/0/key", "expression language"),
        (("triggers", 0, "trigger_key"), "from", "unknown_trigger", "/triggers/0/trigger_key", "“form”"),
        (("triggers", 0, "cfg"), {"corn": "x"}, "unknown_key", "/triggers/0/cfg/corn", "“cron”"),
        (("triggers",), [], "no_trigger", "/triggers", "add a trigger"),
        (("steps",), [], "no_steps", "/steps", "add what it should do"),
        (("steps", 0, "kind"), "conditon", "unknown_kind", "/steps/0/kind", "“condition”"),
        (("steps", 0, "kind"), KeyError, "missing", "/steps/0/kind", "what kind of step"),
        (("steps", 0, "cfg", "all", 0, "op"), "gtt", "unknown_operator", "/steps/0/cfg/all/0/op", "“gt”"),
        (("steps", 0, "cfg", "all", 0, "right"), KeyError, "missing", "/steps/0/cfg/all/0/right", "compare with"),
        (("steps", 0, "cfg"), {"al": []}, "unknown_key", "/steps/0/cfg/al", "“all”"),
        (("steps", 1, "id"), "hot", "duplicate_id", "/steps/1/id", "another id"),
        (("steps", 1, "action_key"), "email_sent", "unknown_action", "/steps/1/action_key", "“email_send”"),
        (("steps", 1, "action_key"), KeyError, "missing", "/steps/1/action_key", "fill it in"),
        (("steps", 1, "cfg", "to"), "nobody", "form", "/steps/1/cfg/to", "“To” must be an e-mail address."),
        (("steps", 1, "cfg", "too"), "a", "unknown_key", "/steps/1/cfg/too", "Did you mean “to”?"),
        (("steps", 1, "cfg"), {}, "form", "/steps/1/cfg", "Fill in “template”, or “To” and “Delay”."),
        (("steps", 1, "cfg", "delay_s"), -1, "form", "/steps/1/cfg/delay_s", "“Delay” must be at least 0."),
        (("steps", 1, "retry"), {"attempts": 0}, "form", "/steps/1/retry/attempts", "at least 1"),
        (("steps", 1, "join"), {"first": 2}, "join_too_high", "/steps/1/join/first", "waits for 2 links, but 1"),
        (("steps", 2, "cfg"), {"for": {"value": 1, "unit": "day"}}, "form", "/steps/2/cfg/for/unit", "days"),
        (("steps", 2, "cfg"), {"for": {"value": "x", "unit": "days"}}, "form", "/steps/2/cfg/for/value", "number"),
        (("steps", 2, "cfg"), {"for": {"value": 53, "unit": "weeks"}}, "form", "/steps/2/cfg/for", "at most a year"),
        (("steps", 2, "cfg"), {"until": "tomorrow"}, "form", "/steps/2/cfg/until", "a date like"),
        (("steps", 2, "cfg"), {}, "form", "/steps/2/cfg", "choose one of its settings"),
        (("steps", 3, "cfg"), {}, "missing", "/steps/3/cfg/title", "“Title” is missing: fill it in."),
        (("steps", 3, "parent"), "hot", "not_a_loop", "/steps/3/parent", "is no loop"),
        (("edges", 0, "to"), "welcom", "unknown_step", "/edges/0/to", "“welcome”"),
        (("edges", 0, "branch_key"), "maybe", "unknown_branch", "/edges/0/branch_key", "it has yes, no, error."),
        (("edges", 3), {"from": "done", "to": "task"}, "unknown_branch", "/edges/3/branch_key", "ends the run"),
        (("edges", 1), {"from": "hot", "to": "welcome", "branch_key": "yes"}, "duplicate_edge", "/edges/1", "twice"),
        (("edges", 3), {"from": "task", "to": "welcome"}, "cycle", "/steps/1", "“welcome” → “wait” → “task” → “welcome”"),
        (("edges", 1), {"from": "hot", "to": "wait", "branch_key": "yes"}, "step_runs_later", "/steps/3/cfg/title", "runs later"),
        (("format",), 7, "form", "/format", "must be 1"),
    ],
)  # fmt: skip
def test_a_problem_names_its_place_and_says_what_to_change(path, value, code, where, sentence):
    problems = validate(_changed(path, value), catalog=Catalog())

    assert (code, where) in {(p.code, p.path) for p in problems}
    message = next(p.message for p in problems if (p.code, p.path) == (code, where))
    assert sentence in message


@pytest.mark.parametrize("kind", sorted(schema.KINDS_TO_COME))
def test_kinds_to_come_are_kept_but_cannot_be_published(kind):
    document = expand({"name": "A", "steps": [{"kind": kind, "cfg": {"anything": 1}}]})

    problems = errors_of(validate(document, catalog=Catalog()))

    assert [problem.code for problem in problems] == ["kind_not_available"]


@pytest.mark.parametrize(
    ("text", "code", "sentence"),
    [
        ("{{ event.emial }}", "unknown_field", "email"),
        ("{{ event.email", "expression_syntax", "}}"),
        ("{{ vars.hot }}", "unknown_field", "hot_score"),
        ("{{ steps.hott.output }}", "unknown_step", "hot"),
        ("{{ item.x }}", "unknown_root", "item"),
        ("{{ steps.task.output.id }}", "step_runs_later", "task"),
    ],
)
def test_expressions_are_checked_where_they_stand(text, code, sentence):
    problems = validate(_changed(("steps", 1, "cfg", "template"), text), catalog=Catalog())

    assert [(p.code, p.path, p.step_id) for p in problems] == [
        (code, "/steps/1/cfg/template", "welcome")
    ]
    assert sentence in problems[0].message


def test_a_step_that_may_not_have_run_is_told():
    document = _changed(("edges", 2), {"from": "hot", "to": "task", "branch_key": "no"})
    document["edges"].append({"from": "welcome", "to": "task"})

    assert ("step_may_not_run", "/steps/3/cfg/title") in _found(document)


def test_with_several_triggers_a_field_of_only_some_may_be_missing():
    document = _changed(("triggers",), [copy.deepcopy(FORM), {"id": "m", "trigger_key": "mail"}])
    document["steps"][1]["cfg"]["template"] = "{{ event.subject }}"

    assert ("may_be_missing", "/steps/1/cfg/template") in _found(document)
    assert errors_of(validate(document, catalog=Catalog())) == []


def test_filters_see_the_event_of_their_own_trigger():
    document = _changed(("triggers",), [copy.deepcopy(FORM), {"id": "m", "trigger_key": "mail"}])
    document["triggers"][1]["filter_conditions"] = {"cel": "event.score > 1"}

    assert ("unknown_field", "/triggers/1/filter_conditions/cel") in _found(document)


def test_text_with_holes_fits_where_a_number_is_asked_for():
    assert _found(_changed(("steps", 1, "cfg", "delay_s"), "{{ vars.hot_score }}")) == set()


def test_a_second_start_and_a_dead_end_are_warnings():
    document = _changed(("edges",), [])

    problems = validate(document, catalog=Catalog())

    warnings = {(p.code, p.step_id) for p in problems if p.severity == Severity.WARNING}
    assert ("several_starts", "wait") in warnings
    assert ("dead_end", "hot") in warnings


def test_switches_have_the_branches_of_their_cases():
    case = {"key": "big", "when": {"cel": "event.score > 5"}}
    document = _changed(
        ("steps", 0), {"id": "hot", "kind": "switch", "cfg": {"cases": [case, case]}}
    )
    document["edges"][0]["branch_key"] = "big"

    assert _found(document) == {("duplicate_id", "/steps/0/cfg/cases/1/key")}

    document["edges"][0]["branch_key"] = "bigg"
    assert ("unknown_branch", "/edges/0/branch_key") in _found(document)


@pytest.mark.parametrize(
    "value",
    [None, 1, "x", [], {}, {"steps": 1}, {"steps": [1]}, {"name": float("nan")}, {1: 2}, object(),
     {"steps": [{"id": {}}]}, {"steps": [{"id": "a", "kind": []}]}, {"edges": [{"from": []}]},
     {"settings": 3}, {"triggers": [{"trigger_key": {}}]}, {"variables": [{"key": []}]}],
)  # fmt: skip
def test_anything_gets_problems_and_never_an_exception(value):
    assert validate(value, catalog=Catalog())


def test_nesting_without_end_is_a_problem():
    value: object = []
    for _ in range(100_000):
        value = [value]

    assert [p.code for p in validate({"name": value}, catalog=Catalog())] == ["too_deep"]


@given(json_values())
def test_any_json_can_be_validated(value):
    assert isinstance(validate(value, catalog=Catalog()), list)
    assert isinstance(validate({"name": "A", "steps": value}, catalog=Catalog()), list)


@given(documents())
def test_any_document_can_be_validated(document):
    assert len(validate(document, catalog=Catalog())) <= MAX_PROBLEMS


@settings(max_examples=300)
@given(st.integers(0, 2**32))
def test_mutated_documents_never_raise(seed):
    randomness = random.Random(seed)  # noqa: S311 - test data
    document = copy.deepcopy(GOOD)
    for _ in range(3):
        _mutate(document, randomness)

    assert isinstance(validate(document, catalog=Catalog()), list)


_JUNK: list[Any] = [None, True, -1, 1e308, "", "{{", "{{ 1 + }}", "{{ steps.x }}", "\x00", [], [[]], {},
         {"cel": "("}, {"all": [1]}, {"first": -1}, "yes", {"id": "hot"}]  # fmt: skip


def _mutate(value, randomness):
    """Replace, remove or duplicate something at a random depth."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    if not keys:
        return
    key = randomness.choice(keys)
    inner = value[key]
    if isinstance(inner, (dict, list)) and inner and randomness.random() < 0.8:
        _mutate(inner, randomness)
    elif randomness.random() < 0.3:
        del value[key]
    elif isinstance(value, list) and randomness.random() < 0.5:
        value.append(copy.deepcopy(inner))
    else:
        value[key] = copy.deepcopy(randomness.choice(_JUNK))
