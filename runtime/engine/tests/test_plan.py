from __future__ import annotations

import pytest

from leadsend.lib.errors import ConfigurationError
from registry.sdk.action import RetryPolicy
from runtime.engine.tests.making import act, control, make_plan


def test_steps_stand_behind_their_predecessors():
    plan = make_plan(act("c"), act("a"), act("b"), edges=["a > b", "b > c"])

    assert [step.id for step in plan.steps] == ["a", "b", "c"]
    assert plan.by_id["b"].sources == ((0, "default"),)
    assert plan.by_id["a"].edges == (("default", 1),)


def test_a_step_overrides_its_actions_retry_and_time_limit():
    plan = make_plan(act("a", "send", retry={"attempts": 9}, timeout_s=5), act("b", "send"))

    first, second = (step.call for step in plan.steps)
    assert first is not None
    assert second is not None
    assert first.retry == RetryPolicy(attempts=9)
    assert first.timeout_s == 5
    assert second.retry == RetryPolicy(attempts=3)
    assert second.timeout_s == 30


@pytest.mark.parametrize(("key", "is_effect"), [("echo", False), ("write", False), ("send", True)])
def test_only_what_touches_the_world_is_an_effect(key: str, is_effect: bool) -> None:
    call = make_plan(act("a", key)).steps[0].call

    assert call is not None
    assert call.is_effect is is_effect


@pytest.mark.parametrize("kind", ["code", "dance"])
def test_a_kind_that_cannot_run_yet_is_refused(kind: str) -> None:
    with pytest.raises(ConfigurationError, match=kind):
        make_plan(control("a", kind))


def test_the_steps_inside_a_loop_are_its_body():
    loop = control("l", "loop", {"list": [1]})
    plan = make_plan(act("b", parent="l"), loop, act("a", parent="l"), edges=["a > b"])

    assert [step.id for step in plan.steps] == ["l"]
    inner = plan.steps[0].loop
    assert inner is not None
    assert [step.id for step in inner.body] == ["a", "b"]
    assert set(plan.by_id) == {"l", "a", "b"}
    assert plan.by_id["b"].sources == ((0, "default"),)


def test_a_step_in_what_is_no_loop_is_refused():
    with pytest.raises(ConfigurationError, match="is no loop"):
        make_plan(act("a", parent="b"))
    with pytest.raises(ConfigurationError, match="inside itself"):
        make_plan(control("a", "loop", parent="b"), control("b", "loop", parent="a"))


def test_an_edge_into_a_loop_is_refused():
    with pytest.raises(ConfigurationError, match="into a loop"):
        make_plan(act("a"), control("l", "loop"), act("b", parent="l"), edges=["a > b"])


def test_a_fourth_loop_inside_the_others_is_refused():
    loops = [control(f"l{n}", "loop", parent=f"l{n - 1}" if n else "") for n in range(4)]
    with pytest.raises(ConfigurationError, match="3 deep"):
        make_plan(*loops, act("a", parent="l3"))


def test_a_circle_is_refused_and_named():
    with pytest.raises(ConfigurationError, match=r"lead back to each other: (a, b|b, a)"):
        make_plan(act("a"), act("b"), edges=["a > b", "b > a"])


def test_what_leads_nowhere_is_refused():
    with pytest.raises(ConfigurationError, match="gone"):
        make_plan(act("a"), edges=["a > gone"])
    with pytest.raises(ConfigurationError, match="nothing"):
        make_plan(act("a", "nothing"))
    with pytest.raises(ConfigurationError, match="id of its own"):
        make_plan(act("a"), act("a"), edges=["a > a"])


def test_a_text_that_cannot_be_read_is_refused_with_step_and_field():
    with pytest.raises(ConfigurationError, match="Step a, field to"):
        make_plan(act("a", cfg={"to": "{{ event. }}"}))
