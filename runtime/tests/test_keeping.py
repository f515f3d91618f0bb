"""Which results a new try keeps, and that an engine uses them only where it comes to their step."""

from __future__ import annotations

import pytest

from leadsend.lib.errors import Conflict, InvalidInput
from runtime import executions, keeping
from runtime.engine.tests.making import act, control
from runtime.models import StepExecution
from runtime.tests.driving import NEVER, World, add_version, drain, fresh, publish, start, steps_of
from workflows.definition.graph import Graph

pytestmark = pytest.mark.django_db

IS_HOT = {"all": [{"left": "{{ event.score }}", "op": "gt", "right": 50}]}


@pytest.fixture
def world(monkeypatch):
    found = World()
    monkeypatch.setattr("runtime.retrying.catalog", lambda: found)
    return found


def calls_of(world):
    return [ctx.step_id for _, _, ctx in world.calls]


def kept_of(run):
    return (run.lineage or {})["kept"]


def rows_of(run):
    return {row.step_id: row for row in StepExecution.objects.of_execution(run.pk)}


@pytest.fixture
def done(world):
    """A run whose three effects and one pure step are done."""
    run = start(publish(act("a", "send"), act("mid"), act("b", "send"), act("c", "send")))
    drain(world)
    assert fresh(run).status == "SUCCESS"
    world.calls.clear()
    return run


def test_a_step_that_is_named_runs_again_and_later_effects_that_are_done_do_not(world, done):
    new = executions.retry(done, user=None, from_step="b")
    drain(world)

    assert fresh(new).status == "SUCCESS"
    assert calls_of(world) == ["b"]
    assert steps_of(new) == {step: ["SUCCESS"] for step in ("a", "mid", "b", "c")}
    assert kept_of(new) == ["a", "mid", "c"]
    assert rows_of(new)["c"].effect_key == rows_of(done)["c"].effect_key
    assert rows_of(new)["b"].effect_key != rows_of(done)["b"].effect_key


@pytest.mark.parametrize(
    ("run_again", "called"),
    [([], []), (["b"], ["b"]), (["a", "c"], ["a", "c"]), (["*"], ["a", "b", "c"])],
)
def test_a_replay_does_only_those_effects_again_that_are_asked_for(world, done, run_again, called):
    new = executions.replay(done, user=None, version="original", run_again=run_again)
    drain(world)

    assert fresh(new).status == "SUCCESS"
    assert calls_of(world) == called


def test_an_effect_that_is_kept_is_used_only_where_the_run_comes_to_it(world):
    workflow = publish(
        control("hot", "condition", IS_HOT),
        act("hot_mail", "send"),
        act("after_hot", "send", cfg={"x": "{{ steps.hot_mail.output.done }}"}),
        act("cold_mail", "send"),
        edges=[
            {"from": "hot", "to": "hot_mail", "branch_key": "yes"},
            {"from": "hot_mail", "to": "after_hot", "branch_key": "default"},
            {"from": "hot", "to": "cold_mail", "branch_key": "no"},
        ],
    )
    run = start(workflow)
    drain(world)
    world.calls.clear()

    cold = executions.replay(run, user=None, version="original", event={"score": 1})
    drain(world)

    assert calls_of(world) == ["cold_mail"]
    assert steps_of(cold)["hot_mail"] == steps_of(cold)["after_hot"] == ["SKIPPED"]
    # What was skipped is not forgotten: it does not happen twice on the way back either.
    world.calls.clear()
    warm = executions.replay(cold, user=None, version="original", event={"score": 99})
    drain(world)
    assert fresh(warm).status == "SUCCESS"
    assert calls_of(world) == []
    assert rows_of(warm)["hot_mail"].result_data == {"done": True}


def test_an_edited_event_is_what_steps_see_and_is_told(world):
    run = start(publish(act("a", "send", cfg={"to": "{{ event.email }}"})), business_key="ada")
    drain(world)
    world.calls.clear()

    new = executions.replay(
        run, user=None, version="original", event={"email": "eve@example.org"}, run_again=["*"]
    )
    drain(world)

    assert [inputs for _, inputs, _ in world.calls] == [{"to": "eve@example.org"}]
    lineage = new.lineage or {}
    assert (lineage["kind"], lineage["is_event_edited"]) == ("replay", True)
    assert (new.retry_of, new.business_key) == (run.pk, "")
    assert fresh(run).context_data["email"] == "ada@example.org"


def test_what_is_kept_and_never_come_to_is_kept_once_more(world):
    failing = publish(act("a", "send"), act("b", "send"))
    run = start(failing)
    drain(world)
    world.answers["send"] = lambda ctx, inputs: (_ for _ in ()).throw(NEVER)
    second = executions.retry(run, user=None, from_step="a")
    drain(world)
    assert (fresh(second).status, steps_of(second)["b"]) == ("FAILED", ["CANCELLED"])
    world.answers.clear()
    world.calls.clear()

    third = executions.retry(fresh(second), user=None)
    drain(world)

    assert fresh(third).status == "SUCCESS"
    assert calls_of(world) == ["a"]


def test_a_cancel_leaves_nothing_open_of_what_was_kept(world, done):
    new = executions.retry(done, user=None, from_step="a")

    executions.cancel(new, user=None)

    assert set(map(tuple, steps_of(new).values())) == {("CANCELLED",)}


def test_on_another_version_steps_are_matched_by_id_and_changed_ones_run_anew(world):
    workflow = publish(act("a", "send"), act("b", "send"), act("c", "send"), act("d", "send"))
    run = start(workflow)
    world.answers["send"] = lambda ctx, i: (_ for _ in ()).throw(NEVER) if ctx.step_id == "d" else 1
    drain(world)
    assert fresh(run).status == "FAILED"
    world.answers.clear()
    world.calls.clear()
    # b does something else, new stands before c, d is what failed.
    workflow.live_version = add_version(
        workflow,
        act("a", "send"),
        act("b", "fire"),
        act("new"),
        act("c", "send"),
        act("d", "send"),
    )
    workflow.save(update_fields=["live_version"])

    new = executions.retry(fresh(run), user=None, version="live")
    drain(world)

    assert fresh(new).status == "SUCCESS"
    assert calls_of(world) == ["b", "d"]
    assert kept_of(new) == ["a", "c"]


def test_asking_for_the_same_again_answers_with_it_and_for_another_is_refused(done):
    first = executions.retry(done, user=None, from_step="b")

    assert executions.retry(done, user=None, from_step="b").pk == first.pk
    with pytest.raises(Conflict) as refused:
        executions.retry(done, user=None, from_step="c")
    assert refused.value.code == "retry_open"
    with pytest.raises(Conflict):
        executions.replay(done, user=None, version="original", event={"a": 1})


@pytest.mark.parametrize("wish", [{"from_step": "nope"}, {"run_again": ["nope"]}])
def test_a_step_that_is_not_in_the_version_is_refused_by_name(done, wish):
    with pytest.raises(InvalidInput, match="'nope'; the steps are a, mid, b, c"):
        executions.retry(done, user=None, **wish)


def test_what_was_undone_is_not_kept():
    graph = Graph.of(
        {
            "steps": [
                {"id": "a", "action_key": "send", "undo": "u"},
                {"id": "u", "action_key": "send"},
            ]
        }
    )
    rows = [
        StepExecution(step_id=step, kind="action", action_key="send", status="SUCCESS")
        for step in ("a", "u")
    ]

    kept = keeping.keep(rows, graph, keeping.Wish(), catalog=World())

    assert kept.step_ids == []
