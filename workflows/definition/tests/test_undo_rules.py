from __future__ import annotations

from typing import Any

import pytest

from workflows.definition.outline import outline
from workflows.definition.shorthand import expand
from workflows.definition.tests.catalog import Catalog
from workflows.definition.validation import validate


def mail(step_id: str, **more: Any) -> dict[str, Any]:
    cfg = {"to": "{{ event.email }}", "template": "welcome", **more.pop("cfg", {})}
    return {"id": step_id, "kind": "action", "action_key": "email_send", "cfg": cfg, **more}


def document(*steps: dict[str, Any], edges: Any = ()) -> dict[str, Any]:
    links = [{"from": a, "to": b} for a, b in edges]
    triggers = [{"id": "new_lead", "trigger_key": "form"}]
    return {"name": "Test", "triggers": triggers, "steps": list(steps), "edges": links}


def found(*steps: dict[str, Any], edges: Any = ()) -> list[tuple[str, str]]:
    problems = validate(document(*steps, edges=edges), catalog=Catalog())
    return [(problem.code, problem.path) for problem in problems]


def test_a_step_may_be_undone_by_one_that_reads_its_output():
    sorry = mail("sorry", cfg={"to": "{{ steps.welcome.output.message_id }}"})

    assert (
        found(mail("welcome", undo="sorry"), sorry, mail("task"), edges=[("welcome", "task")]) == []
    )


def test_an_undo_step_may_not_read_what_comes_later():
    late = mail("sorry", cfg={"to": "{{ steps.task.output.message_id }}"})
    steps = [mail("welcome", undo="sorry"), late, mail("task")]

    problems = validate(document(*steps, edges=[("welcome", "task")]), catalog=Catalog())

    assert [problem.step_id for problem in problems] == ["sorry"]


@pytest.mark.parametrize(
    ("steps", "edges", "code"),
    [
        ([mail("a", undo="nobody")], [], "unknown_step"),
        ([mail("a", undo="b", parent="each"), mail("b")], [], "undo_in_loop"),
        ([mail("a", undo="a")], [], "undo_itself"),
        ([mail("a", undo="b"), mail("b")], [("a", "b")], "undo_linked"),
        ([mail("a", undo="b"), {"id": "b", "kind": "end"}], [], "undo_kind"),
        ([mail("a", undo="b"), mail("b", undo="c"), mail("c")], [], "undo_of_undo"),
    ],
)
def test_what_cannot_undo_a_step_is_refused_at_that_step(steps, edges, code):
    assert (code, "/steps/0/undo") in found(*steps, edges=edges)


def test_one_step_undoes_one_other_only():
    steps = [mail("a", undo="c"), mail("b", undo="c"), mail("c")]

    assert ("undo_shared", "/steps/1/undo") in found(*steps, edges=[("a", "b")])


def test_an_undo_step_is_told_where_it_belongs():
    steps = [mail("welcome", undo="sorry"), mail("task"), mail("sorry")]
    told = outline(expand(document(*steps, edges=[("welcome", "task")])), catalog=Catalog()).steps

    assert [step.id for step in told] == ["welcome", "task"]
    [branch] = told[0].branches
    assert (branch.label, branch.steps[0].id) == ("If the run fails later", "sorry")
