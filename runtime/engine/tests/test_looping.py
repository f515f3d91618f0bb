from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from leadsend.lib.errors import PermanentError, RetryableError
from leadsend.lib.ids import idempotency_key
from runtime.engine.advance import advance
from runtime.engine.loop_steps import LARGEST_ITEM_BYTES
from runtime.engine.outcomes import records_after_crash, settle
from runtime.engine.plan import Plan
from runtime.engine.state import RunState, StepRecord
from runtime.engine.tests.driving import go, reply
from runtime.engine.tests.making import NOW, RUN_ID, act, control, make_plan, make_state

Answer = Callable[[Any], Any]


def loop(step_id: str = "each", **cfg: Any) -> dict[str, Any]:
    parent = cfg.pop("parent", None)
    given = {"list": "{{ event.items }}"} | cfg
    return control(step_id, "loop", given, **({"parent": parent} if parent else {}))


def inside(step_id: str, action_key: str = "echo", /, **more: Any) -> dict[str, Any]:
    return act(step_id, action_key, **({"parent": "each"} | more))


def with_items(*items: Any) -> RunState:
    return make_state(event={"items": list(items), "score": 60})


def play(plan: Plan, state: RunState, answer: Answer = lambda call: {}) -> tuple[Any, list[Any]]:
    """Play to the end, each effect answered at once; return the finish and all records."""
    records: list[StepRecord] = []
    after_s = 0.0
    for _ in range(100_000):
        progress = go(plan, state, after_s=after_s)
        records += progress.records
        calls = [*progress.calls, *progress.applies]
        for call in calls:
            given = answer(call)
            what = {"error": given} if isinstance(given, Exception) else {"output": given}
            reply(plan, state, call, **what)
            records.append(state.latest[call.step_id, call.item])
        if progress.finish or not (calls or progress.has_more or progress.due_at):
            return progress.finish, records
        if not calls and progress.due_at and not progress.has_more:
            after_s = (progress.due_at - NOW).total_seconds()
    raise AssertionError("the run does not end")


def rows(records: list[StepRecord]) -> list[tuple[str, str | None, str]]:
    return [(r.step_id, r.item, r.status) for r in records if r.status != "RUNNING"]


def test_the_body_runs_once_for_each_item_and_sees_item_index_and_its_own_steps():
    plan = make_plan(
        act("before", cfg={"n": 1}),
        loop(output="{{ steps.b.output.text }}"),
        inside("a", cfg={"x": "{{ item.x + steps.before.output.n }}"}),
        inside("b", cfg={"text": "{{ index }}: {{ steps.a.output.x }}"}),
        act("after", cfg={"all": "{{ steps.each.output.items }}"}),
    )

    finish, records = play(plan, state := with_items({"x": 5}, {"x": 6}))

    assert finish.status == "SUCCESS"
    assert state.latest["each", None].output == {
        "count": 2,
        "succeeded": 2,
        "failed": 0,
        "items": ["0: 6", "1: 7"],
    }
    assert state.latest["after", None].output == {"all": ["0: 6", "1: 7"]}
    assert ("b", "1", "SUCCESS") in rows(records)
    assert state.latest["each", None].input == {"list": [{"x": 5}, {"x": 6}]}
    assert {item for _, item in state.latest} == {None}


def test_steps_inside_are_not_seen_outside():
    plan = make_plan(loop(), inside("a"), act("after", cfg={"x": "{{ steps.a.output }}"}))

    finish, _ = play(plan, with_items(1))

    assert finish.status == "FAILED"
    assert "Step after, field x" in finish.error["message"]


def test_an_empty_list_is_through_at_once():
    finish, records = play(make_plan(loop(), inside("a"), act("after")), with_items())

    assert finish.status == "SUCCESS"
    assert rows(records) == [("each", None, "SUCCESS"), ("after", None, "SUCCESS")]


def test_no_more_items_are_at_work_than_asked_for():
    plan = make_plan(loop(concurrency=2), inside("a", "send"))
    state = with_items(1, 2, 3)

    first = go(plan, state)
    reply(plan, state, first.calls[1])
    second = go(plan, state)

    assert [call.item for call in first.calls] == ["0", "1"]
    assert [call.item for call in second.calls] == ["2"]
    assert state.latest["each", None].output["open"] == [0, 2]
    assert [call.idempotency_key for call in first.calls] == [
        idempotency_key(RUN_ID, "a", "0"),
        idempotency_key(RUN_ID, "a", "1"),
    ]


def test_items_come_in_batches_where_asked_for():
    plan = make_plan(loop(batch_size=2, output="{{ item }}"), inside("a"))

    _, _ = play(plan, state := with_items(1, 2, 3))

    assert state.latest["each", None].output["items"] == [[1, 2], [3]]
    assert state.latest["each", None].output["count"] == 2


def fails_at(*items: str) -> Answer:
    return lambda call: PermanentError("No.") if call.item in items else {"ok": call.item}


def test_a_failed_item_stops_the_loop_and_is_named():
    plan = make_plan(loop(), inside("a", "send"), act("after"))

    finish, records = play(plan, with_items(1, 2, 3), fails_at("1"))

    assert finish.status == "FAILED"
    assert finish.error["step_id"] == "each"
    assert finish.error["message"] == "Step each, item 1, step a: No."
    assert ("a", "2", "SUCCESS") not in rows(records)
    assert ("each", "1", "FAILED") in rows(records)


def test_a_loop_goes_on_past_failed_items_where_asked_for():
    plan = make_plan(loop(on_error="continue", output="{{ index }}"), inside("a", "send"))

    finish, _ = play(plan, state := with_items(1, 2, 3), fails_at("1"))

    assert finish.status == "SUCCESS"
    assert state.latest["each", None].output == {
        "count": 3,
        "succeeded": 2,
        "failed": 1,
        "items": [0, None, 2],
    }


def test_a_loop_lists_the_errors_of_its_items_where_asked_for():
    plan = make_plan(loop(on_error="collect"), inside("a", "send"))

    _, _ = play(plan, state := with_items(1, 2), fails_at("1"))

    output = state.latest["each", None].output
    assert output["errors"] == [{"index": 1, "code": "permanent", "message": "No.", "step_id": "a"}]


def test_a_failed_loop_leads_on_by_its_error_branch():
    plan = make_plan(
        loop(),
        inside("a", "send"),
        act("sorry", cfg={"why": "{{ steps.each.error.message }}"}),
        edges=["each error> sorry"],
    )

    finish, _ = play(plan, state := with_items(1), fails_at("0"))

    assert finish.status == "SUCCESS"
    assert state.latest["sorry", None].output["why"].startswith("Step each, item 0")


def test_a_step_inside_may_have_an_error_branch_of_its_own():
    plan = make_plan(
        loop(), inside("a", "send"), inside("sorry"), act("x"), edges=["a error> sorry", "each > x"]
    )

    finish, records = play(plan, with_items(1, 2), fails_at("0"))

    assert finish.status == "SUCCESS"
    assert ("sorry", "0", "SUCCESS") in rows(records)
    assert ("sorry", "1", "SKIPPED") in rows(records)


def test_when_one_item_fails_those_under_way_are_waited_for_and_the_rest_is_dropped():
    plan = make_plan(
        loop(concurrency=3),
        inside("a", "send"),
        inside("b", "send"),
        inside("wait", cfg={}) | {"kind": "delay", "cfg": {"for": _minutes(5)}},
        edges=["a > b", "a > wait"],
    )
    state = with_items(1, 2, 3)
    first, second, third = go(plan, state).calls
    reply(plan, state, first)
    [after_first] = go(plan, state).calls
    reply(plan, state, second, error=PermanentError("No."))

    assert go(plan, state).finish is None
    reply(plan, state, third)
    assert go(plan, state).calls == []
    reply(plan, state, after_first)
    last = go(plan, state)

    assert last.finish.status == "FAILED"
    assert ("wait", "0", "CANCELLED") in rows(last.records)


def _minutes(value: float) -> dict[str, Any]:
    return {"value": value, "unit": "minutes"}


def test_a_retry_of_one_item_does_not_hold_up_the_others():
    plan = make_plan(loop(concurrency=2), inside("a", "send"))
    state = with_items(1, 2, 3)
    first, second = go(plan, state).calls
    reply(plan, state, first, error=RetryableError("Later."))
    reply(plan, state, second)

    progress = go(plan, state)
    assert [call.item for call in progress.calls] == ["2"]
    assert progress.due_at is not None
    late = (progress.due_at - NOW).total_seconds()
    [again] = go(plan, state, after_s=late).calls
    assert (again.item, again.attempt) == ("0", 2)
    assert again.idempotency_key == first.idempotency_key


def test_delays_inside_a_loop_wait_item_by_item():
    body = control("wait", "delay", {"for": _minutes(1)}, parent="each")
    plan = make_plan(loop(concurrency=2), body)
    state = with_items(1, 2, 3)

    progress = go(plan, state)
    assert progress.due_at == NOW + timedelta(minutes=1)
    later = go(plan, state, after_s=60)
    assert later.due_at == NOW + timedelta(minutes=2)
    assert go(plan, state, after_s=120).finish.status == "SUCCESS"


def test_an_end_inside_a_loop_ends_its_item_only():
    plan = make_plan(
        loop(output="{{ index }}"),
        control("odd", "condition", {"cel": "item == 2"}, parent="each"),
        control("skip", "end", {}, parent="each"),
        inside("a"),
        edges=["odd yes> skip", "odd no> a"],
    )

    finish, records = play(plan, state := with_items(1, 2, 3))

    assert finish.status == "SUCCESS"
    assert state.latest["each", None].output["items"] == [0, 1, 2]
    assert [row[1] for row in rows(records) if row[0] == "a" and row[2] == "SUCCESS"] == ["0", "2"]


def test_an_uncertain_item_keeps_the_loop_open_until_a_person_decides():
    plan = make_plan(loop(concurrency=2), inside("a", "fire"))
    state = with_items(1, 2, 3)
    first, second = go(plan, state).calls
    reply(plan, state, first, error=RetryableError("Lost.", uncertain=True))
    reply(plan, state, second)
    [third] = go(plan, state).calls
    reply(plan, state, third, error=PermanentError("No."))

    progress = go(plan, state)
    assert (progress.finish, progress.due_at, progress.calls) == (None, None, [])
    state.fold([settle(plan, state, ("a", "0"), "succeeded", now=NOW)])
    assert go(plan, state).finish.status == "FAILED"


def test_after_a_crash_only_what_may_not_be_repeated_is_uncertain():
    plan = make_plan(loop(concurrency=2), inside("a", "fire"))
    state = with_items(1, 2)
    calls = go(plan, state).calls

    lost = records_after_crash(
        plan, state, [(call.step_id, call.item, call.attempt) for call in calls], now=NOW
    )

    assert [(r.item, r.status, r.effect_key) for r in lost] == [
        (call.item, "UNCERTAIN", call.idempotency_key) for call in calls
    ]


def test_a_cancel_ends_a_loop_in_its_middle():
    plan = make_plan(loop(), inside("a", "send"))
    state = with_items(1, 2)
    [call] = go(plan, state).calls
    state.cancel_requested = True
    assert go(plan, state).finish is None
    reply(plan, state, call)

    progress = go(plan, state)

    assert progress.finish.status == "CANCELLED"
    assert state.latest["each", None].status == "CANCELLED"


def test_a_write_inside_a_loop_has_a_key_for_each_item():
    plan = make_plan(loop(), inside("a", "write"))
    state = with_items(1, 2)

    keys: list[Any] = []

    def made(write: Any) -> Any:
        keys.append(write.idempotency_key)
        return {"id": 1}

    play(plan, state, made)

    assert keys == [idempotency_key(RUN_ID, "a", "0"), idempotency_key(RUN_ID, "a", "1")]


@pytest.mark.parametrize(
    ("value", "cfg", "said"),
    [
        ("abc", {}, "Step each, field list: a loop goes through a list, but this is text: abc."),
        ({"a": 1}, {}, "but this is an object"),
        (None, {}, "but this is null"),
        ([1, 2, 3], {"max_items": 2}, "the list has 3 items, and this loop goes through 2 at most"),
        (
            ["", "x" * LARGEST_ITEM_BYTES],
            {},
            "item 1 has 256 KiB, and one may have 256 at most: xx",
        ),
    ],
)
def test_what_cannot_be_gone_through_fails_the_loop_by_name(
    value: Any, cfg: Any, said: str
) -> None:
    state = make_state(event={"items": value})

    finish, _ = play(make_plan(loop(**cfg), inside("a")), state)

    assert finish.status == "FAILED"
    assert said in finish.error["message"]


def test_an_output_that_is_too_big_fails_its_item():
    plan = make_plan(loop(output="{{ item }}", batch_size=2), inside("a"))

    finish, _ = play(plan, with_items("x" * 200_000, "x" * 200_000))

    assert finish.error["code"] == "loop_output_too_big"


# Loops in loops


def test_loops_stand_in_each_other_and_their_items_have_paths():
    plan = make_plan(
        loop(list="{{ event.items }}", output="{{ steps.inner.output.items }}"),
        loop("inner", list="{{ item }}", parent="each", output="{{ steps.core.output.items }}"),
        loop("core", list="{{ item }}", parent="inner", output="{{ steps.a.output.x }}"),
        act("a", "send", parent="core", cfg={"x": "{{ item }}"}),
    )

    finish, records = play(
        plan, state := with_items([[1], [2, 3]], [[4]]), lambda call: dict(call.inputs)
    )

    assert finish.status == "SUCCESS"
    assert state.latest["each", None].output["items"] == [[[1], [2, 3]], [[4]]]
    calls = [r.item for r in records if r.step_id == "a"]
    assert calls == ["0.0.0", "0.1.0", "0.1.1", "1.0.0"]
    assert set(state.latest) == {("each", None)}
    assert not state.collected


def test_a_failure_deep_inside_names_all_loops():
    plan = make_plan(
        loop(),
        loop("inner", list="{{ item }}", parent="each"),
        act("a", "send", parent="inner"),
    )

    finish, _ = play(plan, with_items([1], [2, 3]), fails_at("1.1"))

    assert finish.error["message"].startswith("Step each, item 1")
    assert "Step inner, item 1.1, step a: No." in finish.error["message"]


def test_when_an_outer_item_fails_its_inner_loop_is_closed():
    plan = make_plan(
        loop(on_error="continue"),
        loop("inner", list=[1, 2], parent="each", concurrency=2),
        act("a", "send", parent="inner"),
        inside("b", "send"),
        act("after"),
        edges=["each > after"],
    )
    state = with_items(1)
    a0, a1, b = go(plan, state).calls
    assert (a0.item, a1.item, b.item) == ("0.0", "0.1", "0")
    reply(plan, state, b, error=PermanentError("No."))
    reply(plan, state, a0)
    assert go(plan, state).finish is None
    reply(plan, state, a1)

    progress = go(plan, state)

    assert progress.finish.status == "SUCCESS"
    assert ("inner", "0", "CANCELLED") in rows(progress.records)
    assert {item for _, item in state.latest} == {None}


# Repeat until


def until(**cfg: Any) -> dict[str, Any]:
    given = {"mode": "until", "until": {"cel": "steps.a.output.n >= 2"}} | cfg
    return control("each", "loop", given)


def counting() -> Answer:
    numbers = itertools.count()
    return lambda call: {"n": next(numbers)}


def test_a_loop_repeats_until_its_condition_holds():
    plan = make_plan(until(output="{{ steps.a.output.n }}"), inside("a", "send"))

    finish, records = play(plan, state := make_state(), counting())

    assert finish.status == "SUCCESS"
    assert state.latest["each", None].output == {
        "count": 3,
        "succeeded": 3,
        "failed": 0,
        "items": [0, 1, 2],
        "reached": True,
    }
    assert [r.item for r in records if r.step_id == "a"] == ["0", "1", "2"]


def test_rounds_are_apart_by_a_pause_that_grows_up_to_its_cap():
    backoff = {"factor": 2, "cap": _minutes(3)}
    plan = make_plan(until(pause=_minutes(1), backoff=backoff, max_rounds=5), inside("a", "send"))
    state = make_state()

    waits, after_s = [], 0.0
    for _ in range(4):
        [call] = go(plan, state, after_s=after_s).calls
        reply(plan, state, call, output={"n": 0})
        due_at = go(plan, state, after_s=after_s).due_at
        waits.append((due_at - NOW).total_seconds() - after_s)
        after_s += waits[-1]

    assert waits == [60, 120, 180, 180]


def test_rounds_that_are_used_up_fail_the_loop():
    plan = make_plan(until(max_rounds=2), inside("a", "send"))

    finish, _ = play(plan, make_state(), lambda call: {"n": 0})

    assert finish.status == "FAILED"
    assert finish.error["code"] == "loop_not_reached"
    assert "did not hold after 2 rounds" in finish.error["message"]


# Bounds


def test_a_long_loop_is_done_in_bounded_passes():
    plan = make_plan(loop(), inside("a"))
    state = with_items(*range(1200))

    passes, records = 0, 0
    while True:
        progress = advance(plan, state, now=NOW, clock=lambda: NOW, budget=500)
        passes, records = passes + 1, records + len(progress.records)
        assert len(progress.records) <= 502
        if progress.finish:
            break
        assert progress.has_more

    assert passes == 3
    assert state.latest["each", None].output["count"] == 1200
    assert state.steps_inside == 1200


def test_memory_does_not_grow_with_the_items_that_are_through():
    plan = make_plan(loop(concurrency=5), inside("a"), inside("b", "send"))
    state = with_items(*range(600))
    peaks = []
    tracemalloc.start()
    while not (progress := go(plan, state)).finish:
        for call in progress.calls:
            reply(plan, state, call)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.reset_peak()
    tracemalloc.stop()

    assert len(peaks) == 120
    assert max(peaks[20:]) < max(peaks[1:20]) + 20_000
    assert len(state.latest) == 1


def test_what_earlier_claims_wrote_is_asked_for_at_the_end():
    plan = make_plan(loop(output="{{ item }}", on_error="collect"), inside("a", "send"))
    state = with_items("x", "y", "z")
    items = []
    for _ in range(2):
        [call] = go(plan, state).calls
        reply(plan, state, call)
    progress = go(plan, state)
    items += [r for r in progress.records if r.item and r.step_id == "each"]
    # Another process takes over: of the items that are through nothing is in its memory.
    taken = make_state(event=state.run.event)
    taken.fold([r for r in state.latest.values() if r.item in (None, "2")])
    [call] = go(plan, taken).calls
    reply(plan, taken, call)

    progress = go(plan, taken)
    assert progress.gather == (("each", None),)
    assert progress.finish is None
    first = StepRecord(step_id="each", kind="loop", status="SUCCESS", item="0", output="x")
    taken.gathered(("each", None), [first, *items])

    assert go(plan, taken).finish.status == "SUCCESS"
    assert taken.latest["each", None].output["items"] == ["x", "y", "z"]
