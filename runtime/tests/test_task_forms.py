from __future__ import annotations

import pytest

from leadsend.access.models import Role
from leadsend.lib.errors import Conflict, InvalidInput
from runtime import human_tasks
from runtime.models import Task
from runtime.task_forms import answers_of, read_answer
from runtime.tests.conftest import member

FORM = {
    "answers": [{"key": "approved", "title": "Approve"}, {"key": "ask_boss"}],
    "fields": [
        {"key": "percent", "type": "number", "required": True, "title": "Discount"},
        {"key": "note"},
        {"key": "kind", "type": "choice", "options": ["new", "old"]},
        {"key": "urgent", "type": "boolean"},
        {"key": "until", "type": "date"},
    ],
}


def problems(given):
    with pytest.raises(InvalidInput) as refused:
        read_answer(FORM, given)
    return [problem.path for problem in refused.value.problems]


def test_an_answer_is_read_with_its_fields_and_comment():
    values = {"percent": "12.5", "note": "ok", "kind": "new", "urgent": "on", "until": "2027-01-31"}

    found = read_answer(FORM, {"answer": "approved", "comment": "Fine.", "fields": values})

    assert found == {
        "answer": "approved",
        "comment": "Fine.",
        "fields": {
            "percent": 12.5,
            "note": "ok",
            "kind": "new",
            "urgent": True,
            "until": "2027-01-31",
        },
    }


def test_a_task_without_a_form_takes_any_answer():
    assert read_answer(None, {"called": True}) == {"called": True}
    assert [answer.title for answer in answers_of(FORM)] == ["Approve", "Ask boss"]


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        (None, ["/answer/answer", "/answer/fields/percent"]),
        ({"answer": "no", "fields": {"percent": 1}}, ["/answer/answer"]),
        ({"answer": ["approved"], "fields": {"percent": 1}}, ["/answer/answer"]),
        ({"answer": "approved", "fields": {"percent": "many"}}, ["/answer/fields/percent"]),
        ({"answer": "approved", "fields": {"percent": True}}, ["/answer/fields/percent"]),
        ({"answer": "approved", "fields": {"percent": "nan"}}, ["/answer/fields/percent"]),
        ({"answer": "approved", "fields": {"percent": 1, "x": 1}}, ["/answer/fields/x"]),
        ({"answer": "approved", "fields": {"percent": 1, "kind": "z"}}, ["/answer/fields/kind"]),
        ({"answer": "approved", "fields": {"percent": 1, "until": "x"}}, ["/answer/fields/until"]),
        ({"answer": "approved", "fields": {"percent": 1, "note": {}}}, ["/answer/fields/note"]),
        ({"answer": "approved", "fields": [1]}, ["/answer/fields"]),
        ({"answer": "approved", "z": 1, "fields": {"percent": 1}}, ["/answer/z"]),
    ],
)
def test_what_the_form_does_not_take_is_refused_with_its_place(given, paths):
    assert problems(given) == paths


@pytest.mark.django_db
def test_completing_a_task_keeps_to_its_form(project):
    ana = member(project, "ana@example.org", Role.OPERATOR)
    task = Task.objects.create(project=project, title="Discount?", form=FORM)
    with pytest.raises(InvalidInput, match="Answer with one of approved, ask_boss"):
        human_tasks.complete(task, user=ana, answer={"answer": "yes", "fields": {"percent": 1}})

    given = {"answer": "approved", "fields": {"percent": 5}}
    done = human_tasks.complete(task, user=ana, answer=given)

    assert done.answer == {
        "answer": "approved",
        "comment": "",
        "fields": {"percent": 5, "urgent": False},
    }
    assert human_tasks.complete(task, user=ana, answer=given).completed_at == done.completed_at
    with pytest.raises(Conflict):
        human_tasks.complete(task, user=ana, answer=given | {"answer": "ask_boss"})
