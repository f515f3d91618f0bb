from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from leadsend.lib.errors import ConfigurationError, PermanentError, RetryableError
from leadsend.lib.ids import idempotency_key
from runtime.engine.advance import answer
from runtime.engine.decide import decide
from runtime.engine.outcomes import records_after_crash, settle
from runtime.engine.tests.driving import go, reply, statuses
from runtime.engine.tests.making import NOW, RUN_ID, act, control, make_plan, make_state

BOOK = [
    act("flight", "send", undo="no_flight"),
    act("hotel", "send", undo="no_hotel"),
    act("pay", "send"),
    act("no_flight", "send", cfg={"id": "{{ steps.flight.output.id }}"}),
    act("no_hotel", "fire", cfg={"id": "{{ steps.hotel.output.id }}"}),
]
EDGES = ["flight > hotel", "hotel > pay"]


def booked(*steps: Any, **facts: Any) -> tuple[Any, Any, Any]:
    """Play until the payment is refused; return plan, state and what came of the last pass."""
    plan, state = make_plan(*(steps or BOOK), edges=EDGES), make_state(**facts)
    for step_id in ("flight", "hotel"):
        [call] = go(plan, state).calls
        answer_at(plan, state, call, NOW, output={"id": step_id})
    [call] = go(plan, state).calls
    reply(plan, state, call, error=PermanentError("Refused."))
    return plan, state, go(plan, state)


def answer_at(plan: Any, state: Any, call: Any, at: Any, **given: Any) -> None:
    times = {"started_at": at, "ended_at": at, "now": at, "random": lambda: 1.0}
    state.fold([answer(plan, state, call, **times, **given)])


def test_what_was_done_is_undone_in_reverse_order_one_after_the_other():
    plan, state, progress = booked()

    [first] = progress.calls
    assert progress.finish is None
    assert (first.step_id, first.inputs) == ("no_hotel", {"id": "hotel"})
    assert first.idempotency_key == idempotency_key(RUN_ID, "no_hotel")
    assert go(plan, state).calls == []
    reply(plan, state, first)
    [second] = go(plan, state).calls
    assert (second.step_id, second.inputs) == ("no_flight", {"id": "flight"})
    reply(plan, state, second)
    finish = go(plan, state).finish
    assert finish.status == "FAILED"
    assert finish.error == {
        "code": "permanent",
        "message": "Refused.",
        "step_id": "pay",
        "undone": ["hotel", "flight"],
        "not_undone": [],
    }


def test_the_order_is_that_of_the_ends_and_not_of_the_plan():
    steps = [
        act("a", "send", undo="no_a"),
        act("b", "send", undo="no_b"),
        act("c", "crash"),
        act("no_a", "send"),
        act("no_b", "send"),
    ]
    plan, state = make_plan(*steps, edges=["a > c", "b > c"]), make_state()
    first, second = go(plan, state).calls
    answer_at(plan, state, second, NOW)
    answer_at(plan, state, first, NOW + timedelta(seconds=1))

    [call] = go(plan, state).calls

    assert call.step_id == "no_a"


def test_a_failing_undo_does_not_stop_the_others_and_is_told():
    plan, state, progress = booked()

    reply(plan, state, progress.calls[0], error=PermanentError("Too late."))
    [call] = go(plan, state).calls
    reply(plan, state, call)
    finish = go(plan, state).finish

    assert finish.error["message"] == "Refused."
    assert finish.error["undone"] == ["flight"]
    assert finish.error["not_undone"] == [
        {"step_id": "hotel", "code": "permanent", "message": "Too late."}
    ]


def test_an_undo_is_tried_again_as_its_step_says():
    plan, state, progress = booked()

    reply(plan, state, progress.calls[0], error=RetryableError("Later."))
    waiting = go(plan, state)
    [again] = go(plan, state, after_s=3600).calls

    assert (waiting.calls, waiting.finish) == ([], None)
    assert waiting.due_at > NOW
    assert (again.step_id, again.attempt) == ("no_hotel", 2)


def test_an_undo_that_may_have_happened_waits_for_a_person_after_the_others():
    plan, state, progress = booked()

    reply(plan, state, progress.calls[0], error=RetryableError("Lost.", uncertain=True))
    [call] = go(plan, state).calls
    reply(plan, state, call)
    waiting = go(plan, state)
    state.fold([settle(plan, state, ("no_hotel", None), "succeeded", now=NOW)])

    assert (waiting.calls, waiting.finish, waiting.due_at) == ([], None, None)
    assert go(plan, state).finish.error["undone"] == ["hotel", "flight"]


def test_after_a_crash_an_undo_at_most_once_is_not_called_again():
    plan, state, _ = booked()
    state.in_flight.clear()
    state.fold(records_after_crash(plan, state, [("no_hotel", None, 1)], now=NOW))

    [call] = go(plan, state).calls

    assert call.step_id == "no_flight"


def test_only_what_succeeded_is_undone():
    plan, state = make_plan(*BOOK, edges=EDGES), make_state()
    [call] = go(plan, state).calls
    reply(plan, state, call, error=PermanentError("Full."))

    finish = go(plan, state).finish

    assert finish.error == {"code": "permanent", "message": "Full.", "step_id": "flight"}


def test_pure_undo_steps_run_in_the_same_pass():
    steps = [*BOOK[:3], act("no_flight"), act("no_hotel")]

    _, state, progress = booked(*steps)

    assert progress.finish.error["undone"] == ["hotel", "flight"]
    assert statuses(state)["no_hotel"] == "SUCCESS"


def test_a_run_that_succeeds_undoes_nothing_and_shows_no_undo_steps():
    plan, state = make_plan(*BOOK, edges=EDGES), make_state()
    for _ in range(3):
        [call] = go(plan, state).calls
        reply(plan, state, call, output={"id": 1})

    assert go(plan, state).finish.status == "SUCCESS"
    assert set(statuses(state)) == {"flight", "hotel", "pay"}


def test_a_cancel_undoes_nothing_not_even_the_rest():
    plan, state, progress = booked()
    state.cancel_requested = True
    reply(plan, state, progress.calls[0])

    finish = go(plan, state).finish

    assert finish.status == "CANCELLED"
    assert "undone" not in finish.error


def test_a_run_out_of_time_is_undone_and_closes_what_waits():
    steps = [
        act("flight", "send", undo="no_flight"),
        control("sleep", "delay", {"for": {"value": 1, "unit": "days"}}),
        act("no_flight", "send"),
    ]
    plan, state = make_plan(*steps, edges=["flight > sleep"]), make_state()
    [call] = go(plan, state).calls
    reply(plan, state, call)
    assert go(plan, state).due_at is not None

    state.timed_out = True
    [undo] = go(plan, state).calls
    reply(plan, state, undo)
    progress = go(plan, state)

    assert progress.finish.status == "TIMED_OUT"
    assert progress.finish.error["undone"] == ["flight"]
    assert statuses(state)["sleep"] == "CANCELLED"


def test_an_end_that_failed_is_undone_too():
    steps = [act("a", "send", undo="no_a"), control("stop", "end", {"status": "failed"})]
    plan, state = make_plan(*steps, act("no_a", "send"), edges=["a > stop"]), make_state()
    [call] = go(plan, state).calls
    reply(plan, state, call)

    [undo] = go(plan, state).calls

    assert undo.step_id == "no_a"


def test_decide_says_the_same():
    plan, state, progress = booked()
    state.in_flight.clear()

    assert decide(plan, state, NOW) == progress.calls


def test_a_linked_undo_step_cannot_be_compiled():
    with pytest.raises(ConfigurationError) as caught:
        make_plan(*BOOK, edges=[*EDGES, "pay > no_hotel"])

    assert caught.value.code == "undo_linked"
