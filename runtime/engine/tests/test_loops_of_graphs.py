"""Random graphs as bodies of loops: each item ends as the reference says, in any order of answers."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from leadsend.lib.errors import PermanentError
from runtime.engine.advance import advance, answer
from runtime.engine.plan import Plan
from runtime.engine.state import RunState, StepRecord
from runtime.engine.tests.making import NOW, make_state
from runtime.engine.tests.random_graphs import Drawn, documents, expected

FAR = 1000


def play(drawn: Drawn, plan: Plan, order: Random) -> tuple[Any, list[StepRecord]]:
    """Play to the end, answers in the order that ``order`` draws; return finish and records."""
    state, now, under_way, records = make_state(), NOW, [], []
    for _ in range(FAR):
        progress = advance(plan, state, now=now, clock=lambda: now)  # noqa: B023
        records += progress.records
        under_way += [*progress.calls, *progress.applies]
        if progress.finish:
            assert not under_way
            assert {item for _, item in state.latest} == {None}
            return progress.finish, records
        if under_way and (progress.due_at is None or order.random() < 0.7):
            call = under_way.pop(order.randrange(len(under_way)))
            records.append(reply(drawn, plan, state, call, now))
        else:
            assert progress.due_at is not None, "nothing will ever move this run"
            now = progress.due_at
    raise AssertionError("the run does not end")


def reply(drawn: Drawn, plan: Plan, state: RunState, call: Any, now: Any) -> StepRecord:
    error = PermanentError("No.") if drawn.outcomes[call.step_id] == "fails" else None
    times: dict[str, Any] = {"started_at": now, "ended_at": now, "now": now}
    record = answer(plan, state, call, error=error, random=lambda: 0.5, **times)
    state.fold([record])
    return record


@settings(max_examples=60)
@given(
    drawn=documents(longest=6),
    seed=st.integers(0, 2**32),
    concurrency=st.integers(1, 4),
    items=st.integers(0, 5),
)
def test_each_item_ends_as_the_graph_would_by_itself(
    drawn: Drawn, seed: int, concurrency: int, items: int
) -> None:
    statuses, fails = expected(drawn)
    plan = drawn.in_a_loop(concurrency=concurrency, items=items)

    finish, records = play(drawn, plan, Random(seed))  # noqa: S311

    last = {(record.step_id, record.item): record for record in records}
    assert finish.status == "SUCCESS"
    output = last["each", None].output
    assert (output["count"], output["failed"]) == (items, items if fails else 0)
    for (step_id, item), record in last.items():
        if item is not None and step_id != "each":
            assert record.status in (statuses[step_id], *(("CANCELLED",) if fails else ()))
    seen = Counter(item for step_id, item in last if item is not None and step_id != "each")
    assert set(seen) == {str(index) for index in range(items)}
    if not fails:
        assert set(seen.values()) <= {len(statuses)}
