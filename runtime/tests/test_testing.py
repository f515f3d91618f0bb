from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from leadsend.lib.errors import ConfigurationError, PermanentError, RetryableError
from runtime.played_answers import Happening, Later
from runtime.testing import START, run

OVERVIEW = {
    "name": "Lead Processing Pipeline",
    "steps": [
        {"kind": "action", "action_key": "email_send", "cfg": {"template": "welcome"}},
        {"kind": "action", "action_key": "task_create", "cfg": {"assignee": "sales_team"}},
    ],
    "triggers": ["lead_sources_db_change"],
}
LEAD = {"op": "insert", "new": {"email": "ada@example.com", "name": "Ada Byron"}}


def test_the_overview_example_sends_the_mail_and_makes_the_task():
    played = run(OVERVIEW, LEAD)

    assert played.status == "SUCCESS"
    assert [effect.action_key for effect in played.effects] == ["email_send", "task_create"]
    mail, task = played.effects
    assert mail.inputs == {"template": "welcome"}
    assert task.apply is not None
    assert "Ada Byron" in str(task.apply.arguments)
    assert len(played.path) == 2


def hot_or_cold() -> dict[str, Any]:
    return {
        "name": "Hot or cold",
        "steps": [
            {"id": "hot", "kind": "condition", "cfg": {"cel": "event.score > 50"}},
            {"id": "call", "kind": "action", "action_key": "http_request",
             "cfg": {"method": "GET", "url": "https://example.com/{{ event.name }}"}},
            {"id": "later", "kind": "delay", "cfg": {"for": {"value": 1, "unit": "days"}}},
        ],
        "edges": [
            {"from": "hot", "to": "call", "branch_key": "yes"},
            {"from": "hot", "to": "later", "branch_key": "no"},
        ],
    }  # fmt: skip


def test_answers_are_given_by_step_and_by_attempt():
    answers = {"call": (RetryableError("Busy.", retry_after_s=60), {"status": 200})}

    played = run(hot_or_cold(), {"score": 60, "name": "ada"}, answers=answers)

    assert played.path == ("hot", "call")
    assert [effect.attempt for effect in played.effects] == [1, 2]
    assert len({effect.idempotency_key for effect in played.effects}) == 1
    assert played.steps["call"].output == {"status": 200}
    assert played.steps["later"].status == "SKIPPED"
    assert played.ended_at == START + timedelta(seconds=60)


def test_an_answer_may_be_a_function_of_the_inputs_by_action():
    def refuse(inputs: Any) -> Any:
        raise PermanentError(f"No {inputs['url']}")

    played = run(hot_or_cold(), {"score": 60, "name": "ada"}, answers={"http_request": refuse})

    assert played.status == "FAILED"
    assert played.error == {
        "code": "permanent",
        "message": "No https://example.com/ada",
        "step_id": "call",
    }


def test_delays_take_no_time():
    played = run(hot_or_cold(), {"score": 1})

    assert played.status == "SUCCESS"
    assert played.path == ("hot", "later")
    assert played.ended_at == START + timedelta(days=1)


def test_a_document_that_cannot_run_says_why():
    with pytest.raises(ConfigurationError, match="fly"):
        run({"name": "x", "steps": [{"kind": "action", "action_key": "fly"}]}, {})


WAIT = {
    "name": "Wait",
    "steps": [
        {
            "id": "paid",
            "kind": "wait",
            "cfg": {
                "for": "event",
                "trigger_key": "webhook",
                "key": "{{ event.email }}",
                "timeout": "2d",
            },
        },
        {"id": "thanks", "kind": "end", "cfg": {"output": "{{ steps.paid.output.event.total }}"}},
        {"id": "late", "kind": "end", "cfg": {"output": "late"}},
    ],
    "edges": [
        {"from": "paid", "to": "thanks"},
        {"from": "paid", "to": "late", "branch_key": "timeout"},
    ],
}


def happening(days, email="ada@example.com", total=7):
    event = {"email": email, "total": total}
    return Happening(after=timedelta(days=days), trigger_key="webhook", event=event)


def test_an_event_that_comes_in_time_answers_its_wait():
    ada = {"email": "ada@example.com"}

    played = run(
        WAIT, ada, events=[happening(0.5, "bob@example.com"), happening(1), happening(1.5)]
    )

    assert (played.status, played.output, played.path) == ("SUCCESS", 7, ("paid", "thanks"))
    assert played.ended_at == START + timedelta(days=1)
    assert run(WAIT, ada, events=[happening(3)]).output == "late"
    assert run(WAIT, ada, answers={"paid": {"total": 5}}).output == 5


APPROVAL = {
    "name": "Approval",
    "steps": [
        {"id": "ok", "kind": "approval", "cfg": {"title": "May I?"}},
        {"id": "call", "kind": "workflow", "cfg": {"workflow": "other", "input": {"a": 1}}},
        {"id": "end", "kind": "end", "cfg": {"output": "{{ steps.call.output.output }}"}},
    ],
    "edges": [
        {"from": "ok", "to": "call", "branch_key": "approved"},
        {"from": "call", "to": "end"},
    ],
}


def test_approvals_and_called_workflows_get_the_answers_given():
    answers = {
        "ok": Later(after=timedelta(hours=3), answer="approved"),
        "call": lambda asked: asked,
    }

    played = run(APPROVAL, {}, answers=answers)

    assert played.output["input"] == {"a": 1}
    assert played.ended_at == START + timedelta(hours=3)
    assert [effect.apply and effect.apply.act for effect in played.effects] == [
        "approval.create",
        "execution.start",
    ]
    assert run(APPROVAL, {}).status == "WAITING"
    failed = run(APPROVAL, {}, answers={"ok": "approved", "call": PermanentError("No.")})
    assert failed.error
    assert failed.error["message"].endswith("No.")


def test_loops_are_played_item_by_item():
    document = {
        "name": "Each",
        "steps": [
            {
                "id": "each",
                "kind": "loop",
                "cfg": {"list": "{{ event.leads }}", "output": "{{ steps.ask.output.status }}"},
            },
            {"id": "ask", "kind": "action", "action_key": "http_request", "parent": "each",
             "cfg": {"method": "GET", "url": "https://example.com/{{ item }}"}},
        ],
    }  # fmt: skip

    played = run(document, {"leads": ["a", "b"]}, answers={"ask": {"status": 200}})

    assert played.status == "SUCCESS"
    assert [effect.item for effect in played.effects] == ["0", "1"]
    assert played.steps["each"].output["items"] == [200, 200]
    assert played.steps["ask"].item == "1"
