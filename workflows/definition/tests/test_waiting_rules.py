from __future__ import annotations

from typing import Any

import pytest

from workflows.definition import canonical
from workflows.definition.outline import outline
from workflows.definition.shorthand import expand
from workflows.definition.tests.catalog import Catalog
from workflows.definition.validation import errors_of, validate

EVENT = {"for": "event", "trigger_key": "mail", "key": "{{ event.email }}"}


def step(kind: str, cfg: Any, step_id: str = "w", **more: Any) -> dict[str, Any]:
    return {"id": step_id, "kind": kind, "cfg": cfg, **more}


def after(text: str, step_id: str = "then") -> dict[str, Any]:
    return {
        "id": step_id,
        "kind": "action",
        "action_key": "task_create",
        "cfg": {"title": text},
    }


def document(*steps: Any, edges: Any = None, **more: Any) -> Any:
    found = {"name": "Waits", "triggers": ["form"], "steps": list(steps), **more}
    return expand(found | ({"edges": edges} if edges else {}))


def found(*steps: Any, **more: Any) -> set[tuple[str, str]]:
    problems = validate(document(*steps, **more), catalog=Catalog())
    return {(problem.code, problem.path) for problem in problems}


def test_what_came_has_the_type_of_its_trigger():
    good = after("{{ steps.w.output.event.subject }}")
    assert found(step("wait", EVENT), good) == set()

    wrong = after("{{ steps.w.output.event.score }}")
    assert found(step("wait", EVENT), wrong) == {("unknown_field", "/steps/1/cfg/title")}


@pytest.mark.parametrize(
    ("cfg", "code", "path"),
    [
        ({}, "missing", "/for"),
        ({"for": "rain"}, "form", "/for"),
        ({"for": "event"}, "missing", "/trigger_key"),
        ({"for": "event", "trigger_key": "mial"}, "unknown_trigger", "/trigger_key"),
        (EVENT | {"key": "{{ event.nothing }}"}, "unknown_field", "/key"),
        (EVENT | {"key": "ada@example.com"}, "missing", "/match"),
        (EVENT | {"key": "{{ run.id }}"}, "match_unknown", "/key"),
        (EVENT | {"match": "{{ event.score }}"}, "unknown_field", "/match"),
        (EVENT | {"match": "{{ vars.x }}"}, "match_unknown", "/match"),
        (EVENT | {"timeout": {}}, "form", "/timeout"),
        (EVENT | {"timeout": {"value": 400, "unit": "days"}}, "form", "/timeout"),
        (EVENT | {"timeout": {"until": "soon"}}, "form", "/timeout/until"),
        (EVENT | {"step": "w"}, "unknown_key", "/step"),
        ({"for": "reply"}, "missing", "/step"),
        ({"for": "reply", "step": "nowhere"}, "unknown_step", "/step"),
        ({"for": "answer", "step": "then"}, "step_runs_later", "/step"),
        ({"for": "answer", "key": "1", "match": "x"}, "unknown_key", "/match"),
    ],
)
def test_a_wait_that_cannot_be_meant_is_refused_with_its_place(
    cfg: Any, code: str, path: str
) -> None:
    assert (code, f"/steps/0/cfg{path}") in found(step("wait", cfg), after("Call"))


def test_a_wait_for_a_reply_names_the_step_that_sent_the_mail():
    mail = {"id": "mail", "kind": "action", "action_key": "email_send", "cfg": {"template": "x"}}

    assert found(mail, step("wait", {"for": "reply", "step": "mail", "timeout": "2d"})) == set()


def test_a_timeout_branch_without_a_limit_is_a_warning():
    edges = [{"from": "w", "to": "then", "branch_key": "timeout"}]

    problems = validate(document(step("wait", EVENT), after("x"), edges=edges), catalog=Catalog())

    assert [problem.code for problem in problems] == ["never_times_out"]
    assert not errors_of(problems)


APPROVAL = {
    "title": "Discount for {{ event.email }}?",
    "answers": [{"key": "yes"}, {"key": "ask_boss", "title": "Ask the boss"}],
    "fields": [{"key": "percent", "type": "number"}],
}


def test_an_approval_has_a_branch_for_each_answer_and_gives_its_fields():
    edges = [{"from": "w", "to": "then", "branch_key": "ask_boss"}]
    good = after("{{ steps.w.output.fields.percent + 1 }} {{ steps.w.output.comment }}")
    assert found(step("approval", APPROVAL), good, edges=edges) <= {
        ("may_be_missing", "/steps/1/cfg/title")
    }

    edges = [{"from": "w", "to": "then", "branch_key": "approved"}]
    assert ("unknown_branch", "/edges/0/branch_key") in found(
        step("approval", APPROVAL), after("x"), edges=edges
    )
    assert found(step("approval", {"title": "Ok?"}), after("x"), edges=edges) == set()


@pytest.mark.parametrize(
    ("cfg", "code", "path"),
    [
        ({}, "missing", "/title"),
        ({"title": "x", "answers": []}, "form", "/answers"),
        ({"title": "x", "answers": [{"key": "timeout"}]}, "duplicate_id", "/answers/0/key"),
        ({"title": "x", "answers": [{"key": "a"}] * 2}, "duplicate_id", "/answers/1/key"),
        (
            {"title": "x", "fields": [{"key": "a", "type": "choice"}]},
            "missing",
            "/fields/0/options",
        ),
        ({"title": "{{ event.nothing }}"}, "unknown_field", "/title"),
    ],
)
def test_an_approval_that_cannot_be_meant_is_refused_with_its_place(
    cfg: Any, code: str, path: str
) -> None:
    assert (code, f"/steps/0/cfg{path}") in found(step("approval", cfg))


def test_a_called_workflow_is_named_and_gets_an_object():
    assert ("missing", "/steps/0/cfg/workflow") in found(step("workflow", {}))
    assert ("form", "/steps/0/cfg/input") in found(step("workflow", {"workflow": "x", "input": 1}))
    assert found(step("workflow", {"workflow": "x", "input": {"a": "{{ event.email }}"}})) == set()


def test_a_workflow_that_is_called_knows_its_input():
    wanted = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}
    closed = wanted | {"additionalProperties": False}

    assert found(after("{{ event.total }}"), triggers=[], settings={"input": closed}) == {
        ("no_trigger", "/triggers")
    }
    assert ("unknown_field", "/steps/0/cfg/title") in found(
        after("{{ event.email }}"), triggers=[], settings={"input": closed}
    )
    assert ("form", "/settings/input") in found(after("x"), settings={"input": {"type": "text"}})


def test_short_forms_of_limits_and_calls_are_written_out():
    steps = document(
        step("wait", EVENT | {"timeout": "2d"}), step("workflow", "other", step_id="c")
    )["steps"]

    assert steps[0]["cfg"]["timeout"] == {"value": 2, "unit": "days"}
    assert steps[1]["cfg"] == {"workflow": "other"}
    assert canonical.load(canonical.dump(document(*steps)).decode())["steps"][0]["id"] == "w"


@pytest.mark.parametrize(
    ("kind", "cfg", "sentence"),
    [
        ("wait", EVENT | {"timeout": "2d"}, "Waits for “mail” about Email, at most 2 days"),
        ("wait", {"for": "reply", "step": "mail"}, "Waits for a reply to “mail”"),
        ("wait", {"for": "answer", "step": "ask"}, "Waits for the answer to “ask”"),
        (
            "approval",
            {"title": "Discount?", "assignee": "sales", "timeout": "1d"},
            "Asks sales to decide: “Discount?”, at most 1 day",
        ),
        ("workflow", {"workflow": "other"}, "Runs the workflow “other” and waits for its end"),
        (
            "workflow",
            {"workflow": "other", "mode": "forget"},
            "Starts the workflow “other” and goes on",
        ),
    ],
)
def test_steps_that_wait_are_told_in_sentences(kind: str, cfg: Any, sentence: str) -> None:
    (told,) = outline(document(step(kind, cfg)), catalog=Catalog()).steps

    assert told.sentence == sentence
