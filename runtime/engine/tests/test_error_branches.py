from __future__ import annotations

from typing import Any

import pytest

from leadsend.lib.errors import PermanentError
from runtime.engine.tests.driving import go, reply, statuses
from runtime.engine.tests.making import act, control, make_plan, make_state

UNKNOWN = "{{ event.nobody }}"
FAILING = [
    act("s", "echo", cfg={"to": UNKNOWN}),
    act("s", "send", cfg={"to": UNKNOWN}),
    act("s", "write", cfg={"title": UNKNOWN}),
    control("s", "condition", {"cel": "event.nobody > 1"}),
    control("s", "switch", {"cases": [{"key": "one", "when": {"cel": "event.nobody > 1"}}]}),
    control("s", "delay", {"until": UNKNOWN}),
    control("s", "delay", {"next": "weekday", "calendar": "nowhere"}),
    control("s", "end", {"output": UNKNOWN}),
    control("s", "wait", {"for": "event", "trigger_key": "webhook", "key": UNKNOWN}),
]


@pytest.mark.parametrize("step", FAILING, ids=lambda step: step.get("action_key") or step["kind"])
def test_a_step_whose_settings_fail_goes_out_on_its_error_branch(step: dict[str, Any]) -> None:
    why = act("why", cfg={"said": "{{ steps.s.error.message }}"})
    plan, state = (
        make_plan(step, why, act("other"), edges=["s error> why", "other > why"]),
        make_state(),
    )

    progress = go(plan, state)

    assert progress.finish.status == "SUCCESS"
    assert statuses(state) == {"s": "FAILED", "why": "SUCCESS", "other": "SUCCESS"}
    assert state.latest["s", None].branch == "error"
    assert state.latest["why", None].output["said"].startswith(("Step s", "There is no"))


@pytest.mark.parametrize("step", FAILING, ids=lambda step: step.get("action_key") or step["kind"])
def test_without_an_error_branch_it_fails_the_run(step: dict[str, Any]) -> None:
    assert go(make_plan(step), make_state()).finish.status == "FAILED"


def test_a_case_called_error_is_a_case_and_no_way_out_of_a_failure():
    when = {"cel": "event.score > 50"}
    cases = {"cases": [{"key": "error", "when": when}]}
    plan = make_plan(control("s", "switch", cases), act("a"), edges=["s error> a"])

    well, badly = make_state(), make_state(event={"score": "many"})

    assert go(plan, well).finish.status == "SUCCESS"
    assert statuses(well) == {"s": "SUCCESS", "a": "SUCCESS"}
    assert go(plan, badly).finish.status == "FAILED"
    assert "a" not in statuses(badly)


def test_an_end_finishes_while_another_branch_is_under_way_and_keeps_its_answer():
    """What is in flight is waited for; its failure changes nothing, and nothing follows it."""
    plan = make_plan(
        act("slow", "send"),
        act("after"),
        act("quick", "send"),
        control("stop", "end", {"output": {"n": "{{ event.score }}"}}),
        control("sleep", "delay", {"for": {"value": 1, "unit": "days"}}),
        edges=["slow > after", "quick > stop"],
    )
    state = make_state()
    slow, quick = go(plan, state).calls
    reply(plan, state, quick)
    ended = go(plan, state)

    reply(plan, state, slow, error=PermanentError("No."))
    finish = go(plan, state).finish

    assert (ended.finish, ended.calls, ended.due_at) == (None, [], None)
    assert (finish.status, finish.output) == ("SUCCESS", {"n": 60})
    assert statuses(state) == {
        "slow": "FAILED",
        "quick": "SUCCESS",
        "stop": "SUCCESS",
        "sleep": "CANCELLED",
    }


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("No budget of {{ event.name }}.", "No budget of Ada."),
        ("", "The workflow ended here as failed."),
    ],
)
def test_an_end_may_fail_the_run_with_a_message_and_an_output(message: str, said: str) -> None:
    cfg = {"status": "failed", "message": message, "output": {"score": "{{ event.score }}"}}

    finish = go(make_plan(control("stop", "end", cfg)), make_state()).finish

    assert finish.status == "FAILED"
    assert finish.output == {"score": 60}
    assert finish.error == {"code": "ended_as_failed", "message": said, "step_id": "stop"}
