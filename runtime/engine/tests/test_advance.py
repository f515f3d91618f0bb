from __future__ import annotations

import pytest

from leadsend.lib.errors import PermanentError, RetryableError
from leadsend.lib.ids import idempotency_key
from runtime.engine.advance import advance
from runtime.engine.commands import CallEffect
from runtime.engine.tests.driving import go, reply, statuses
from runtime.engine.tests.making import NOW, RUN_ID, act, control, make_plan, make_state

YES = {"cel": "event.score > 50"}


def test_a_run_without_steps_succeeds():
    assert go(make_plan(), make_state()).finish.status == "SUCCESS"


def test_pure_steps_run_to_the_end_in_one_pass_and_read_each_other():
    plan = make_plan(
        act("a", cfg={"n": "{{ event.score }}"}),
        act("b", cfg={"text": "is {{ steps.a.output.n }}", "fixed": [1]}),
    )
    state = make_state()

    progress = go(plan, state)

    assert progress.finish.status == "SUCCESS"
    assert [r.step_id for r in progress.records] == ["a", "b"]
    assert state.latest["b", None].output == {"text": "is 60", "fixed": [1]}
    assert state.latest["b", None].input == {"text": "is 60", "fixed": [1]}


def test_variables_of_the_run_stand_before_those_of_the_document():
    variables = [{"key": "low", "value": 1}, {"key": "high", "value": 2}]
    plan = make_plan(act("a", cfg={"x": "{{ vars.low + vars.high }}"}), variables=variables)
    state = make_state(variables={"high": 40})

    go(plan, state)

    assert state.latest["a", None].output == {"x": 41}


def test_an_effect_is_asked_for_once_under_its_key():
    plan = make_plan(act("a", "send", cfg={"to": "{{ event.name }}"}), act("b"))
    state = make_state()

    progress = go(plan, state)

    [call] = progress.calls
    assert call.inputs == {"to": "Ada"}
    assert call.idempotency_key == idempotency_key(RUN_ID, "a")
    assert progress.finish is None
    assert go(plan, state).calls == []
    reply(plan, state, call, output={"ok": True})
    assert go(plan, state).finish.status == "SUCCESS"
    assert state.latest["a", None].effect_key == call.idempotency_key


def test_a_transactional_action_asks_for_a_write_and_sees_the_contact():
    plan = make_plan(act("a", "write"), act("b", cfg={"id": "{{ steps.a.output.id }}"}))
    state = make_state()

    [write] = go(plan, state).applies
    reply(plan, state, write, output={"id": 7})

    assert write.apply.arguments == {"title": "Ada Byron"}
    assert write.idempotency_key == idempotency_key(RUN_ID, "a")
    assert go(plan, state).finish.status == "SUCCESS"
    assert state.latest["b", None].output == {"id": 7}


def test_a_pure_action_sees_contact_key_and_the_time_of_the_claim():
    state = make_state()

    go(make_plan(act("a", "contact")), state)

    assert state.latest["a", None].output == {
        "email": "ada@example.com",
        "key": str(idempotency_key(RUN_ID, "a")),
        "now": NOW.isoformat(),
    }


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("suspend", "action_suspended"),
        ("reach_out", "pure_action_reaches_out"),
        ("no_apply", "apply_expected"),
        ("crash", "unexpected"),
    ],
)
def test_an_action_that_breaks_its_promise_fails_its_step(key: str, code: str) -> None:
    progress = go(make_plan(act("a", key)), make_state())

    assert progress.finish.status == "FAILED"
    assert progress.finish.error["code"] == code
    assert progress.finish.error["step_id"] == "a"


def test_a_failed_expression_fails_the_step_and_names_field_and_expression():
    plan = make_plan(act("a", "send", cfg={"to": "{{ event.nobody }}"}))

    progress = go(plan, make_state())

    [record] = progress.records
    assert progress.calls == []
    assert record.status == "FAILED"
    assert record.due_at is None
    assert record.error["code"] == "expression"
    assert record.error["field"] == "to"
    assert "event.nobody" in record.error["expression"]
    assert record.error["message"].startswith("Step a, field to")


def test_a_final_failure_takes_the_error_branch_and_tells_it_why():
    plan = make_plan(
        act("a", "send"),
        act("b"),
        act("c", cfg={"why": "{{ steps.a.error.message }}"}),
        edges=["a > b", "a error> c"],
    )
    state = make_state()

    [call] = go(plan, state).calls
    reply(plan, state, call, error=PermanentError("Mailbox full."))

    assert go(plan, state).finish.status == "SUCCESS"
    assert state.latest["a", None].branch == "error"
    assert state.latest["b", None].status == "SKIPPED"
    assert state.latest["c", None].output == {"why": "Mailbox full."}


def test_a_failure_starts_nothing_new_but_lets_effects_answer():
    plan = make_plan(act("a", "send"), act("b", "send"), act("c"), edges=["a > c"])
    state = make_state()
    first, second = go(plan, state).calls

    reply(plan, state, second, error=PermanentError("No."))
    waiting = go(plan, state)
    reply(plan, state, first, output=1)
    progress = go(plan, state)

    assert waiting.finish is None
    assert progress.finish.status == "FAILED"
    assert progress.finish.error == {"code": "permanent", "message": "No.", "step_id": "b"}
    assert ("c", None) not in state.latest


def test_a_failure_in_the_same_pass_drops_the_effects_not_yet_begun():
    plan = make_plan(
        act("start"), act("a", "send"), act("b", "crash"), edges=["start > a", "start > b"]
    )
    state = make_state()

    progress = go(plan, state)

    assert progress.calls == []
    assert progress.finish.status == "FAILED"
    assert state.in_flight == set()


def test_end_finishes_early_with_its_output():
    plan = make_plan(
        control("hot", "condition", YES),
        control("stop", "end", {"output": {"n": "{{ event.score }}"}}),
        control("sleep", "delay", {"for": {"value": 1, "unit": "days"}}),
        edges=["hot yes> stop", "hot yes> sleep"],
    )
    state = make_state()

    progress = go(plan, state)

    assert progress.finish.status == "SUCCESS"
    assert progress.finish.output == {"n": 60}
    assert statuses(state).get("sleep") in (None, "CANCELLED")


def test_a_cancel_waits_for_what_is_in_flight_and_closes_delays():
    plan = make_plan(
        act("a", "send"),
        control("d", "delay", {"for": {"value": 1, "unit": "days"}}),
        act("b"),
        edges=["a > b"],
    )
    state = make_state()
    [call] = go(plan, state).calls

    state.cancel_requested = True
    before = go(plan, state)
    reply(plan, state, call)
    progress = go(plan, state)

    assert before.finish is None
    assert progress.finish.status == "CANCELLED"
    assert statuses(state) == {"a": "SUCCESS", "d": "CANCELLED"}


def test_a_join_any_fires_once():
    plan = make_plan(
        act("a", "send"),
        act("b", "send"),
        act("c", join="any"),
        act("d", "send"),
        edges=["a > c", "b > c", "c > d"],
    )
    state = make_state()
    first, second = go(plan, state).calls

    reply(plan, state, second)
    [third] = go(plan, state).calls
    reply(plan, state, first)
    again = go(plan, state)

    assert isinstance(third, CallEffect)
    assert again.calls == []
    assert again.records == []


def test_a_hundred_steps_with_joins_of_joins_run_through():
    edges = ["start yes> s0"]
    steps = [control("start", "condition", YES)]
    for n in range(33):
        steps += [act(f"s{n}"), control(f"c{n}", "condition", YES), act(f"j{n}")]
        edges += [f"s{n} > c{n}", f"c{n} yes> j{n}", f"c{n} no> j{n}", f"s{n} > j{n}"]
        if n:
            edges += [f"j{n - 1} > s{n}", f"s{n - 1} > s{n}", f"start no> s{n}"]
    plan, state = make_plan(*steps, edges=edges), make_state()

    progress = go(plan, state)

    assert progress.finish.status == "SUCCESS"
    assert len(progress.records) == 100
    assert set(statuses(state).values()) == {"SUCCESS"}


def test_a_retry_that_is_due_starts_while_another_effect_is_in_flight():
    plan = make_plan(act("a", "send"), act("b", "send"), act("c"), edges=["a > c", "b > c"])
    state = make_state()
    first, _ = go(plan, state).calls
    reply(plan, state, first, error=RetryableError("Later."))
    waiting = go(plan, state)

    due_by = waiting.retry_at
    progress = advance(plan, state, now=NOW, clock=lambda: NOW, due_by=due_by)
    again = advance(plan, state, now=NOW, clock=lambda: NOW, due_by=due_by)

    assert (waiting.calls, waiting.due_at) == ([], waiting.retry_at)
    assert [(call.step_id, call.attempt) for call in progress.calls] == [("a", 2)]
    assert (again.calls, again.due_at, again.retry_at) == ([], None, None)
