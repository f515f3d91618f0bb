"""Plays a big graph with the engine and with the reference side by side, in a drawn order."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

from leadsend.lib.errors import LeadSendError, PermanentError, RetryableError
from runtime.engine.advance import advance, answer
from runtime.engine.commands import Finish
from runtime.engine.plan import Plan, compile_plan
from runtime.engine.state import RunState
from runtime.engine.tests.big_graphs import BigGraph, big_graph
from runtime.engine.tests.making import NOW, ToyCatalog, make_state
from runtime.engine.tests.slow_reference import Reference, meaning

ORDERS = 2
Told = tuple[dict[str, str], Finish]


def check_graph(seed: int) -> int:
    """Play the graph of a seed in several orders; return the number of its steps.

    Raises AssertionError where the engine and the reference differ, or where the order of answers
    changes what a run means that no failure and no ``end`` cuts short.
    """
    graph = big_graph(seed)
    plan = compile_plan(graph.document, ToyCatalog())
    statuses, stops = meaning(graph)
    told = [_play(graph, plan, Random(seed * ORDERS + at)) for at in range(ORDERS)]  # noqa: S311
    for found, finish in told:
        if not stops:
            assert (found, finish.status) == (statuses, "SUCCESS"), f"graph {seed}"
        else:
            cut_off = {step for step, fate in graph.fates.items() if fate.later}
            for step, status in found.items():
                cut = "FAILED" if step in cut_off else "CANCELLED"
                assert status in (statuses[step], cut), f"graph {seed}"
    return len(plan.steps)


def _play(graph: BigGraph, plan: Plan, chance: Random) -> Told:
    run, state = Reference(graph), make_state()
    commands: dict[str, Any] = {}
    for _ in range(20 * len(plan.steps) + 20):
        now = NOW + timedelta(seconds=run.now)
        progress = advance(plan, state, now=now, clock=lambda: now)  # noqa: B023 - called at once
        asked: list[Any] = [*progress.calls, *progress.applies]
        commands |= {command.step_id: command for command in asked}
        run.go()
        _compare(graph, run, state, progress.finish, set(commands))
        if progress.finish:
            return _statuses(state), progress.finish
        due = run.next_due()
        assert _seconds(progress.due_at) == due, f"graph {graph.seed}"
        if commands and (due is None or due <= run.now or chance.random() < 0.7):
            step = chance.choice(sorted(commands))
            _reply(graph, plan, state, run, commands.pop(step), now)
        else:
            assert due is not None, f"graph {graph.seed}: nothing will ever move this run"
            run.now = max(run.now, due)
    raise AssertionError(f"graph {graph.seed}: the run does not end")


def _compare(
    graph: BigGraph, run: Reference, state: RunState, finish: Finish | None, asked: set[str]
) -> None:
    end = None
    if finish is not None:
        end = (finish.status, finish.error["step_id"] if finish.error else None)
    assert end == run.end, f"graph {graph.seed}: {end} is not {run.end}"
    expected = {"RETRY": "FAILED"}
    told = {step: expected.get(s, s) for step, s in run.status.items() if s != "ASKED"}
    # A step that is tried again stands as the failure before; the reference has it as asked.
    found = {step: s for step, s in _statuses(state).items() if step not in run.asked}
    assert found == told, f"graph {graph.seed}"
    assert asked == run.asked, f"graph {graph.seed}"


def _reply(
    graph: BigGraph, plan: Plan, state: RunState, run: Reference, command: Any, now: datetime
) -> None:
    state.fold(
        [
            answer(
                plan,
                state,
                command,
                error=_error(graph, command),
                started_at=now,
                ended_at=now,
                now=now,
                random=lambda: 0.5,
            )
        ]
    )
    run.reply(command.step_id)


def _error(graph: BigGraph, command: Any) -> LeadSendError | None:
    fate = graph.fates[command.step_id]
    if command.attempt <= fate.later:
        return RetryableError("Later.")
    return PermanentError("Never.") if fate.way == "fails" else None


def _statuses(state: RunState) -> dict[str, str]:
    return {record.step_id: record.status for record in state.latest.values()}


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int((moment - NOW).total_seconds())
