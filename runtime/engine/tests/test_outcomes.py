from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from leadsend.lib.errors import (
    ConfigurationError,
    Conflict,
    LeadSendError,
    PermanentError,
    RetryableError,
    Unavailable,
)
from leadsend.lib.ids import idempotency_key
from runtime.engine.advance import advance, answer
from runtime.engine.outcomes import close_open_steps, records_after_crash, settle
from runtime.engine.plan import Plan
from runtime.engine.state import RunState, StepRecord
from runtime.engine.tests.making import NOW, RUN_ID, act, make_plan, make_state

LATER = NOW + timedelta(hours=1)
KEY = ("a", None)


def go(plan: Plan, state: RunState, now: Any = NOW) -> Any:
    return advance(plan, state, now=now, clock=lambda: now)


def reply(plan: Plan, state: RunState, error: LeadSendError | None, now: Any = NOW) -> StepRecord:
    [call] = go(plan, state, now).calls
    record = answer(
        plan,
        state,
        call,
        output="out",
        error=error,
        started_at=now,
        ended_at=now,
        now=now,
        random=lambda: 1.0,
    )
    state.fold([record])
    return record


def uncertain() -> tuple[Plan, RunState]:
    plan, state = make_plan(act("a", "fire"), act("b")), make_state()
    reply(plan, state, RetryableError("Timed out.", uncertain=True))
    return plan, state


def test_a_success_is_recorded_with_input_output_and_key():
    record = reply(make_plan(act("a", "send", cfg={"x": 1})), make_state(), None)

    assert (record.status, record.branch, record.attempt) == ("SUCCESS", "default", 1)
    assert (record.input, record.output) == ({"x": 1}, "out")
    assert record.effect_key == idempotency_key(RUN_ID, "a")


@pytest.mark.parametrize(
    ("error", "delay_s"),
    [
        (RetryableError("Later."), 2),
        (RetryableError("Later.", retry_after_s=30), 30),
        (RetryableError("Timed out.", uncertain=True), 2),
        (Unavailable("Away.", retry_after_s=7), 7),
    ],
)
def test_what_a_new_try_can_help_is_tried_again_under_the_same_key(
    error: LeadSendError, delay_s: float
) -> None:
    plan, state = make_plan(act("a", "send")), make_state()

    record = reply(plan, state, error)

    assert record.status == "FAILED"
    assert record.due_at == NOW + timedelta(seconds=delay_s)
    assert record.output is None
    waiting = go(plan, state)
    assert (waiting.calls, waiting.finish, waiting.due_at) == ([], None, record.due_at)
    [call] = go(plan, state, record.due_at).calls
    assert call.attempt == 2
    assert call.idempotency_key == record.effect_key


@pytest.mark.parametrize("error", [PermanentError("No."), ConfigurationError("No.")])
def test_what_no_new_try_can_help_fails_at_once(error: LeadSendError) -> None:
    plan, state = make_plan(act("a", "send")), make_state()

    record = reply(plan, state, error)

    assert record.due_at is None
    assert go(plan, state).finish.error["code"] == error.code


def test_attempts_end():
    plan, state = make_plan(act("a", "send", retry={"attempts": 3})), make_state()

    records = [
        reply(plan, state, RetryableError("Later."), NOW + timedelta(hours=n)) for n in range(3)
    ]

    assert [record.attempt for record in records] == [1, 2, 3]
    assert records[-1].due_at is None
    assert go(plan, state, LATER).finish.status == "FAILED"


def test_an_at_most_once_effect_that_may_have_happened_waits_for_a_person():
    plan, state = uncertain()

    assert state.latest[KEY].status == "UNCERTAIN"
    assert state.latest[KEY].ended_at is None
    progress = go(plan, state, LATER)
    assert (progress.calls, progress.records, progress.finish) == ([], [], None)


def test_an_at_most_once_effect_that_surely_did_not_happen_is_tried_again():
    record = reply(make_plan(act("a", "fire")), make_state(), RetryableError("Refused."))

    assert record.status == "FAILED"
    assert record.due_at is not None


def test_after_a_crash_only_at_most_once_effects_become_uncertain():
    plan, state = make_plan(act("a", "fire"), act("b", "send")), make_state()

    records = records_after_crash(plan, state, [("a", None, 2), ("b", None, 1)], now=NOW)

    [record] = records
    assert (record.step_id, record.status, record.attempt) == ("a", "UNCERTAIN", 2)
    assert record.effect_key == idempotency_key(RUN_ID, "a")


def test_a_person_may_say_that_it_happened():
    plan, state = uncertain()

    state.fold([settle(plan, state, KEY, "succeeded", output={"id": 1}, now=LATER)])

    assert go(plan, state, LATER).finish.status == "SUCCESS"
    assert state.latest[KEY].output == {"id": 1}


def test_a_person_may_say_that_it_failed():
    plan, state = uncertain()

    state.fold([settle(plan, state, KEY, "failed", reason="Not arrived.", now=LATER)])

    assert go(plan, state, LATER).finish.status == "FAILED"
    error = state.latest[KEY].error
    assert error is not None
    assert error["reason"] == "Not arrived."


def test_a_persons_run_again_has_a_new_key():
    plan, state = uncertain()
    old = state.latest[KEY].effect_key

    state.fold([settle(plan, state, KEY, "run_again", now=LATER)])

    [call] = go(plan, state, LATER).calls
    assert call.attempt == 2
    assert call.idempotency_key == idempotency_key(RUN_ID, "a", again=1)
    assert call.idempotency_key != old


def test_a_decision_about_what_is_decided_is_refused():
    plan, state = uncertain()
    state.fold([settle(plan, state, KEY, "succeeded", now=LATER)])

    with pytest.raises(Conflict):
        settle(plan, state, KEY, "run_again", now=LATER)


def test_a_late_answer_changes_nothing():
    plan, state = make_plan(act("a", "send")), make_state()
    first = reply(plan, state, RetryableError("Later."))
    go(plan, state, first.due_at)

    state.fold([first])
    assert state.in_flight == {KEY}
    done = StepRecord(step_id="a", kind="action", status="SUCCESS", attempt=2)
    state.fold([done])
    state.fold([StepRecord(step_id="a", kind="action", status="FAILED", attempt=2)])

    assert state.latest[KEY] is done


def test_closing_leaves_final_steps_alone():
    state = make_state()
    state.fold(
        [
            StepRecord(step_id="a", kind="action", status="SUCCESS"),
            StepRecord(step_id="b", kind="delay", status="WAITING", due_at=LATER),
            StepRecord(step_id="c", kind="action", status="UNCERTAIN"),
        ]
    )

    closed = close_open_steps(state, now=LATER)

    assert [(r.step_id, r.status, r.ended_at, r.due_at) for r in closed] == [
        ("b", "CANCELLED", LATER, None),
        ("c", "CANCELLED", LATER, None),
    ]
