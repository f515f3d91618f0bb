from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import datetime, timedelta
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from leadsend.lib.errors import PermanentError
from runtime.engine.advance import advance, answer
from runtime.engine.commands import ApplyWrite, CallEffect, Finish, RunPure, Skip, WaitUntil
from runtime.engine.decide import decide
from runtime.engine.outcomes import close_open_steps
from runtime.engine.plan import Plan
from runtime.engine.progress import Progress
from runtime.engine.state import RunState, StepRecord
from runtime.engine.tests.making import NOW, act, control, make_plan, make_state
from runtime.engine.tests.random_graphs import Drawn, documents, expected
from runtime.engine.work import Work

seeds = st.integers(0, 2**32)
Advance = Callable[[Plan, RunState, datetime], Progress]


def order_of(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - draws an order that can be drawn again


def in_one_pass(plan: Plan, state: RunState, now: datetime) -> Progress:
    return advance(plan, state, now=now, clock=lambda: now)


def by_the_rules(plan: Plan, state: RunState, now: datetime) -> Progress:
    """Do what ``decide`` says, one pure step at a time, asking it anew after each."""
    done = Progress()
    while True:
        commands = decide(plan, state, now)
        todo = next((c for c in commands if isinstance(c, RunPure | Skip)), None)
        if todo is None:
            break
        record = _do(plan, state, todo, now)
        state.fold([record])
        done.records.append(record)
    for command in commands:
        if isinstance(command, CallEffect):
            done.calls.append(command)
        elif isinstance(command, ApplyWrite):
            done.applies.append(command)
        elif isinstance(command, WaitUntil):
            done.due_at = min(done.due_at or command.due_at, command.due_at)
        elif isinstance(command, Finish):
            done.finish = command
    started: list[CallEffect | ApplyWrite] = [*done.calls, *done.applies]
    state.in_flight.update((c.step_id, c.item) for c in started)
    if done.finish:
        closed = close_open_steps(state, now=now)
        state.fold(closed)
        done.records.extend(closed)
    return done


def _do(plan: Plan, state: RunState, todo: RunPure | Skip, now: datetime) -> StepRecord:
    step = plan.by_id[todo.step_id]
    work = Work(plan, state, now=now, clock=lambda: now)
    if isinstance(todo, Skip):
        return work.skip(step)
    known = state.latest.get(step.key)
    if known is not None and known.status == "WAITING":
        return work.wake(known)
    record = work.begin(step, attempt=todo.attempt, again=known.again if known else 0)
    assert isinstance(record, StepRecord)
    return record


def play(drawn: Drawn, order: Random, move: Advance = in_one_pass) -> tuple[RunState, Finish]:
    """Play a document to its end; effects answer in the order that ``order`` draws."""
    plan, state, now = drawn.plan(), make_state(), NOW
    under_way: list[Any] = []
    for _ in range(200):
        progress = move(plan, state, now)
        under_way += [*progress.calls, *progress.applies]
        if progress.finish:
            assert not under_way
            return state, progress.finish
        if under_way and (progress.due_at is None or order.random() < 0.7):
            call = under_way.pop(order.randrange(len(under_way)))
            state.fold([_reply(drawn, plan, state, call, now)])
        else:
            assert progress.due_at is not None, "nothing will ever move this run"
            now = progress.due_at
    raise AssertionError("the run does not end")


def _reply(drawn: Drawn, plan: Plan, state: RunState, call: Any, now: datetime) -> StepRecord:
    fails = drawn.outcomes[call.step_id] == "fails"
    error = PermanentError("No.") if fails else None
    times: dict[str, Any] = {"started_at": now, "ended_at": now, "now": now}
    return answer(plan, state, call, error=error, random=lambda: 0.5, **times)


@given(drawn=documents(may_fail=False), seed=seeds)
def test_a_run_means_the_same_in_whatever_order_answers_arrive(drawn: Drawn, seed: int) -> None:
    statuses, _ = expected(drawn)

    state, finish = play(drawn, order_of(seed))

    assert finish.status == "SUCCESS"
    assert {key[0]: record.status for key, record in state.latest.items()} == statuses


@given(drawn=documents(), seed=seeds)
def test_a_run_fails_exactly_when_a_step_fails_without_a_way_out(drawn: Drawn, seed: int) -> None:
    statuses, fails = expected(drawn)

    state, finish = play(drawn, order_of(seed))

    assert finish.status == ("FAILED" if fails else "SUCCESS")
    for key, record in state.latest.items():
        assert record.status in (statuses[key[0]], "CANCELLED")


@settings(max_examples=150)
@given(drawn=documents(), seed=seeds, cancel=st.booleans())
def test_one_pass_does_what_the_rules_say(drawn: Drawn, seed: int, *, cancel: bool) -> None:
    plan, state, order, now = drawn.plan(), make_state(), order_of(seed), NOW
    under_way: list[Any] = []
    for at in range(200):
        state.cancel_requested = cancel and at == 2
        twin = deepcopy(state)
        fast, slow = in_one_pass(plan, state, now), by_the_rules(plan, twin, now)

        assert state == twin
        assert (fast.calls, fast.applies, fast.finish) == (slow.calls, slow.applies, slow.finish)
        if fast.finish:
            return
        assert fast.due_at == slow.due_at
        under_way += [*fast.calls, *fast.applies]
        if under_way:
            call = under_way.pop(order.randrange(len(under_way)))
            state.fold([_reply(drawn, plan, state, call, now)])
        else:
            now = fast.due_at or now + timedelta(days=1)


@given(drawn=documents(), seed=seeds)
def test_the_same_state_gives_the_same_commands(drawn: Drawn, seed: int) -> None:
    first, finish = play(drawn, order_of(seed))
    second, again = play(drawn, order_of(seed))

    assert first == second
    assert finish == again
    plan = drawn.plan()
    backwards = make_state()
    backwards.fold(reversed(list(first.latest.values())))
    assert decide(plan, backwards, NOW) == decide(plan, first, NOW)


def test_decide_changes_nothing():
    plan = make_plan(act("a"), act("b", "send"), control("c", "condition", {}), edges=["a > c"])
    state = make_state()
    before = deepcopy(state)

    commands = decide(plan, state, NOW)

    assert state == before
    assert [type(command) for command in commands] == [RunPure, CallEffect]


def test_an_unknown_outcome_keeps_the_run_open_until_it_is_cancelled():
    plan = make_plan(act("a", "fire"))
    state = make_state()
    state.fold([StepRecord(step_id="a", kind="action", status="UNCERTAIN")])

    assert decide(plan, state, NOW) == []
    state.cancel_requested = True
    [finish] = decide(plan, state, NOW)
    assert isinstance(finish, Finish)
    assert finish.status == "CANCELLED"
