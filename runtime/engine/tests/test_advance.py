from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

import pytest

from leadsend.lib.errors import PermanentError
from leadsend.lib.ids import idempotency_key
from runtime.engine.advance import advance, answer
from runtime.engine.commands import CallEffect
from runtime.engine.plan import Plan
from runtime.engine.state import RunState
from runtime.engine.tests.making import NOW, RUN_ID, act, control, make_plan, make_state

YES = {"cel": "event.score > 50"}
HOT = {"all": [{"left": "{{ event.score }}", "op": "gt", "right": 50}]}


def go(plan: Plan, state: RunState, *, after_s: float = 0) -> Any:
    now = NOW + timedelta(seconds=after_s)
    return advance(plan, state, now=now, clock=lambda: now)


def reply(plan: Plan, state: RunState, call: Any, **given: Any) -> None:
    times: dict[str, Any] = {"started_at": NOW, "ended_at": NOW, "now": NOW, "random": lambda: 1.0}
    state.fold([answer(plan, state, call, **(times | given))])


def statuses(state: RunState) -> dict[str, str]:
    return {record.step_id: record.status for record in state.latest.values()}


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


def test_a_condition_takes_its_branch_and_says_why():
    plan = make_plan(
        control("hot", "condition", HOT),
        act("warm"),
        act("cold"),
        act("after"),
        edges=["hot yes> warm", "hot no> cold", "warm > after", "cold > after"],
    )
    state = make_state()

    go(plan, state)

    record = state.latest["hot", None]
    assert record.branch == "yes"
    assert record.output["result"] is True
    assert "60" in record.output["reason"]
    assert statuses(state) == {
        "hot": "SUCCESS",
        "warm": "SUCCESS",
        "cold": "SKIPPED",
        "after": "SUCCESS",
    }


def test_a_switch_takes_the_first_case_that_is_true_or_default():
    cases = [
        {"key": "cold", "when": {"cel": "event.score < 10"}},
        {"key": "warm", "when": {"cel": "event.score < 70"}},
        {"key": "any", "when": {}},
    ]
    plan = make_plan(
        control("which", "switch", {"cases": cases}),
        control("none", "switch", {"cases": cases[:1]}),
        act("x"),
        edges=["which warm> x", "none default> x"],
    )
    state = make_state()

    go(plan, state)

    assert state.latest["which", None].output["case"] == "warm"
    assert state.latest["none", None].branch == "default"


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


def test_end_may_fail_the_run_with_a_message():
    plan = make_plan(control("stop", "end", {"status": "failed", "message": "No {{ event.name }}"}))

    finish = go(plan, make_state()).finish

    assert finish.status == "FAILED"
    assert finish.error == {"code": "ended_as_failed", "message": "No Ada", "step_id": "stop"}


def test_a_delay_waits_and_then_goes_on_in_the_same_attempt():
    plan = make_plan(control("d", "delay", {"for": {"value": 2, "unit": "minutes"}}), act("b"))
    state = make_state()

    first = go(plan, state)
    early = go(plan, state, after_s=119)
    late = go(plan, state, after_s=120)

    assert [r.status for r in first.records] == ["WAITING"]
    assert first.due_at == early.due_at == NOW + timedelta(minutes=2)
    assert early.records == []
    assert [(r.status, r.attempt) for r in late.records] == [("SUCCESS", 1), ("SUCCESS", 1)]
    assert late.finish.status == "SUCCESS"
    assert late.due_at is None


@pytest.mark.parametrize(
    ("cfg", "due_at"),
    [
        ({"until": "{{ event.at }}"}, "2026-03-05T10:00:00+00:00"),
        ({"until": "2026-03-04T10:00:00+02:00"}, "2026-03-04T08:00:00+00:00"),
        ({"for": {"value": "{{ event.days }}", "unit": "days"}}, "2026-03-05T09:00:00+00:00"),
    ],
)
def test_a_delay_reads_moments_and_spans(cfg: dict[str, Any], due_at: str) -> None:
    state = make_state(event={"at": "2026-03-05T10:00:00", "days": 3})

    progress = go(make_plan(control("d", "delay", cfg)), state)

    assert progress.due_at is not None
    assert progress.due_at.astimezone(UTC).isoformat() == due_at


def test_a_delay_that_is_over_does_not_wait():
    assert go(make_plan(control("d", "delay", {"until": "2020-01-01"})), make_state()).finish


@pytest.mark.parametrize(
    ("cfg", "code"),
    [
        ({"until": "soon"}, "delay_unknown"),
        ({"for": {"value": "many", "unit": "days"}}, "delay_unknown"),
        ({"for": {"value": 400, "unit": "days"}}, "delay_too_long"),
        ({"for": {"value": 100_000_000, "unit": "days"}}, "delay_too_long"),
        ({"until": "9999-01-01"}, "delay_too_long"),
        ({"for": {"value": 1e300, "unit": "days"}}, "delay_unknown"),
    ],
)
def test_a_delay_without_a_sensible_end_fails(cfg: dict[str, Any], code: str) -> None:
    assert go(make_plan(control("d", "delay", cfg)), make_state()).finish.error["code"] == code


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
