from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

import pytest

from runtime.engine.tests.driving import go, statuses
from runtime.engine.tests.making import NOW, act, control, make_plan, make_state

HOT = {"all": [{"left": "{{ event.score }}", "op": "gt", "right": 50}]}


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
