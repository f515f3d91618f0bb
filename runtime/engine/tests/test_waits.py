from __future__ import annotations

from typing import Any

import pytest

from runtime.engine.commands import RunPure, WaitFor, WaitUntil
from runtime.engine.decide import decide
from runtime.engine.tests.driving import go, reply, statuses
from runtime.engine.tests.making import NOW, act, control, make_plan, make_state
from runtime.engine.waits import key_text

EVENT = {"for": "event", "trigger_key": "webhook", "key": "{{ event.name }}"}
DAY = {"value": 1, "unit": "days"}
DAY_S = 86_400


def wait_plan(cfg: Any = EVENT, *edges: str) -> Any:
    steps = (control("wait", "wait", cfg), act("came"), act("gone"))
    return make_plan(*steps, edges=edges or ("wait > came", "wait timeout> gone"))


def answer_with(state: Any, step: str, given: Any) -> None:
    state.answers[step, None] = given


def test_a_wait_for_an_event_says_what_for_and_holds_the_run():
    state = make_state()

    done = go(wait_plan(), state)

    (record,) = done.records
    assert record.status == "WAITING"
    assert record.input == {
        "for": "event",
        "topic": "webhook",
        "match": "{{ event.name }}",
        "key": "Ada",
    }
    assert done.finish is None
    assert done.due_at is None
    assert decide(wait_plan(), state, NOW) == [WaitFor(step_id="wait")]


def test_an_answer_lets_the_run_go_on_with_what_came():
    plan, state = wait_plan(), make_state()
    go(plan, state)
    answer_with(state, "wait", {"event": {"total": 7}})
    assert decide(plan, state, NOW) == [RunPure(step_id="wait")]

    done = go(plan, state)

    assert statuses(state) == {"wait": "SUCCESS", "came": "SUCCESS", "gone": "SKIPPED"}
    assert state.latest["wait", None].output == {"event": {"total": 7}}
    assert done.finish.status == "SUCCESS"


def test_without_an_answer_the_timeout_branch_is_taken_when_it_is_due():
    plan, state = wait_plan(EVENT | {"timeout": DAY}), make_state()
    assert go(plan, state).due_at is not None
    assert isinstance(decide(plan, state, NOW)[0], WaitUntil)

    go(plan, state, after_s=DAY_S)

    assert statuses(state) == {"wait": "SUCCESS", "came": "SKIPPED", "gone": "SUCCESS"}
    assert state.latest["wait", None].output == {"timed_out": True}


def test_an_answer_that_is_there_wins_over_a_limit_that_is_over():
    plan, state = wait_plan(EVENT | {"timeout": DAY}), make_state()
    go(plan, state)
    answer_with(state, "wait", {"event": {}})

    go(plan, state, after_s=2 * DAY_S)

    assert statuses(state)["came"] == "SUCCESS"


def test_without_a_timeout_branch_the_step_fails_with_a_sentence():
    plan, state = wait_plan(EVENT | {"timeout": DAY}, "wait > came", "came > gone"), make_state()
    go(plan, state)

    done = go(plan, state, after_s=DAY_S)

    assert done.finish.status == "FAILED"
    assert done.finish.error["code"] == "timeout"
    assert 'Link its branch "timeout"' in done.finish.error["message"]


def test_an_empty_key_fails_the_step():
    state = make_state(event={"name": ""})

    done = go(wait_plan(), state)

    assert done.finish.error["code"] == "nothing_to_wait_for"


def test_a_wait_for_a_reply_waits_for_the_mail_of_the_named_step():
    plan = make_plan(
        act("mail", cfg={"message_id": "<1@x>"}), control("wait", "wait", _about("reply", "mail"))
    )
    state = make_state()

    go(plan, state)

    assert state.latest["wait", None].input == {"for": "reply", "key": "<1@x>"}


def test_a_wait_for_an_answer_of_a_task_that_was_cancelled_fails():
    plan = make_plan(
        act("ask", cfg={"task_id": "t1"}), control("wait", "wait", _about("answer", "ask"))
    )
    state = make_state()
    go(plan, state)
    answer_with(state, "wait", {"cancelled": True, "reason": "Too late."})

    done = go(plan, state)

    assert done.finish.error["code"] == "task_cancelled"
    assert done.finish.error["message"].endswith("Too late.")


def approval_plan(**cfg: Any) -> Any:
    return make_plan(
        control("ok", "approval", {"title": "May {{ event.name }}?"} | cfg),
        act("yes"),
        act("no"),
        edges=("ok approved> yes", "ok rejected> no"),
    )


def test_an_approval_asks_for_its_task_and_then_waits():
    plan, state = approval_plan(), make_state()

    done = go(plan, state)

    (write,) = done.applies
    assert write.apply.act == "approval.create"
    assert write.inputs["title"] == "May Ada?"
    assert [answer["key"] for answer in write.inputs["answers"]] == ["approved", "rejected"]
    reply(plan, state, write, output={"task_id": "t1"})
    assert go(plan, state).finish is None
    assert state.latest["ok", None].status == "WAITING"


@pytest.mark.parametrize(("answer", "next_step"), [("approved", "yes"), ("rejected", "no")])
def test_an_approval_goes_out_on_the_branch_of_its_answer(answer: str, next_step: str) -> None:
    plan, state = approval_plan(), make_state()
    reply(plan, state, go(plan, state).applies[0], output={"task_id": "t1"})
    answer_with(state, "ok", {"answer": answer, "comment": "", "fields": {}, "task_id": "t1"})

    done = go(plan, state)

    assert statuses(state)[next_step] == "SUCCESS"
    assert done.finish.status == "SUCCESS"


def call_plan(**cfg: Any) -> Any:
    return make_plan(
        control(
            "call", "workflow", {"workflow": "other", "input": {"n": "{{ event.score }}"}} | cfg
        ),
        act("then"),
        act("oh"),
        edges=("call > then", "call error> oh"),
    )


def test_a_called_workflow_gets_its_input_and_gives_its_output():
    plan, state = call_plan(), make_state()
    (write,) = go(plan, state).applies
    assert write.inputs == {"workflow": "other", "input": {"n": 60}, "mode": "wait"}
    reply(plan, state, write, output={"execution_id": "e1", "output": None})
    answer_with(state, "call", {"execution_id": "e1", "status": "SUCCESS", "output": 5})

    go(plan, state)

    assert state.latest["call", None].output == {"execution_id": "e1", "output": 5}
    assert statuses(state)["then"] == "SUCCESS"


def test_a_called_workflow_that_failed_fails_its_step_and_takes_the_error_branch():
    plan, state = call_plan(), make_state()
    reply(plan, state, go(plan, state).applies[0], output={"execution_id": "e1"})
    error = {"code": "http_500", "message": "It broke."}
    answer_with(state, "call", {"execution_id": "e1", "status": "FAILED", "error": error})

    go(plan, state)

    record = state.latest["call", None]
    assert (record.status, record.branch) == ("FAILED", "error")
    assert record.error is not None
    assert record.error["code"] == "http_500"
    assert "It broke." in record.error["message"]
    assert statuses(state)["oh"] == "SUCCESS"


def test_a_forgotten_workflow_does_not_hold_its_caller():
    plan, state = call_plan(mode="forget"), make_state()

    reply(plan, state, go(plan, state).applies[0], output={"execution_id": "e1", "output": None})
    go(plan, state)

    assert statuses(state) == {"call": "SUCCESS", "then": "SUCCESS", "oh": "SKIPPED"}


def test_a_called_workflow_has_a_time_limit():
    step = control("call", "workflow", {"workflow": "other"}, timeout_s=60)
    plan, state = make_plan(step), make_state()
    reply(plan, state, go(plan, state).applies[0], output={"execution_id": "e1"})

    done = go(plan, state, after_s=60)

    assert done.finish.error["code"] == "timeout"


@pytest.mark.parametrize(
    ("value", "text"), [(7, "7"), (7.0, "7"), ("7", "7"), (7.5, "7.5"), (None, ""), (True, "true")]
)
def test_keys_are_compared_as_text(value: object, text: str) -> None:
    assert key_text(value) == text


def _about(what: str, step: str) -> dict[str, str]:
    return {"for": what, "step": step}
