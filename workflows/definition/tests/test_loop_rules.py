from __future__ import annotations

from typing import Any

import pytest

from workflows.definition import canonical
from workflows.definition.outline import outline
from workflows.definition.projection import from_rows, to_rows
from workflows.definition.shorthand import expand
from workflows.definition.tests.catalog import Catalog
from workflows.definition.validation import validate

EACH = {"list": "{{ [1, 2] }}"}
UNTIL = {"mode": "until", "until": {"cel": "steps.t.output.id != ''"}}


def loop(cfg: Any = None, step_id: str = "each", **more: Any) -> dict[str, Any]:
    return {"id": step_id, "kind": "loop", "cfg": EACH if cfg is None else cfg, **more}


def task(text: str = "Call", step_id: str = "t", **more: Any) -> dict[str, Any]:
    given = {"parent": "each"} | more
    kept = {key: value for key, value in given.items() if value}
    return {
        "id": step_id,
        "kind": "action",
        "action_key": "task_create",
        "cfg": {"title": text},
        **kept,
    }


def document(*steps: Any, edges: Any = None) -> Any:
    found = {"name": "Loops", "triggers": ["form"], "steps": list(steps)}
    return expand(found | ({"edges": edges} if edges is not None else {}))


def found(*steps: Any, edges: Any = None) -> set[tuple[str, str]]:
    problems = validate(document(*steps, edges=edges), catalog=Catalog())
    return {(problem.code, problem.path) for problem in problems}


@pytest.mark.parametrize(
    "cfg",
    [
        EACH,
        EACH | {"batch_size": 10, "concurrency": 50, "on_error": "collect", "max_items": 5},
        {"list": [1, 2], "output": "{{ steps.t.output.id }}"},
        UNTIL | {"pause": {"value": 1, "unit": "minutes"}, "max_rounds": 5},
        UNTIL
        | {
            "pause": {"value": 1, "unit": "minutes"},
            "backoff": {"factor": 2, "cap": {"value": 1, "unit": "hours"}},
        },
    ],
)
def test_a_loop_can_be_published(cfg):
    assert found(loop(cfg), task()) == set()


@pytest.mark.parametrize(
    ("cfg", "code", "path"),
    [
        ({}, "missing", "/list"),
        ({"list": "event.items"}, "form", "/list"),
        ({"list": 5}, "form", "/list"),
        (EACH | {"concurrency": 51}, "form", "/concurrency"),
        (EACH | {"batch_size": 0}, "form", "/batch_size"),
        (EACH | {"on_error": "shrug"}, "form", "/on_error"),
        (EACH | {"pause": {"value": 1, "unit": "days"}}, "unknown_key", "/pause"),
        (EACH | {"output": "{{ steps.t.output.nothing }}"}, "unknown_field", "/output"),
        ({"mode": "until"}, "missing", "/until"),
        (UNTIL | {"list": "{{ [1] }}"}, "unknown_key", "/list"),
        (UNTIL | {"backoff": {"factor": 2}}, "missing", "/pause"),
        (UNTIL | {"pause": {"value": 400, "unit": "days"}}, "form", "/pause"),
        (UNTIL | {"until": {"cel": "steps.t.output.nothing"}}, "unknown_field", "/until/cel"),
    ],
)
def test_what_is_wrong_with_a_loop_is_told_at_its_place(cfg, code, path):
    assert (code, f"/steps/0/cfg{path}") in found(loop(cfg), task())


def test_item_and_index_exist_inside_only():
    assert found(loop(), task("{{ item }} {{ index }}")) == set()
    outside = {("unknown_root", "/steps/2/cfg/title")}
    assert found(loop(), task(), task("{{ item }}", "after", parent=None)) == outside
    until = {("unknown_root", "/steps/1/cfg/title")}
    assert found(loop(UNTIL), task("{{ item }}")) == until


def test_the_type_of_items_is_known_where_the_lists_is():
    first = loop(EACH | {"output": "{{ index }}", "on_error": "collect"})
    second = loop({"list": "{{ steps.each.output.errors }}"}, "again")

    good = task("{{ item.message }}", "say", parent="again")
    assert found(first, task(), second, good) == set()
    bad = task("{{ item.mesage }}", "say", parent="again")
    assert found(first, task(), second, bad) == {("unknown_field", "/steps/3/cfg/title")}


def test_what_a_loop_puts_out_is_known():
    after = task("{{ steps.each.output.count }}", "after", parent=None)
    assert found(loop(), task(), after) == set()
    after = task("{{ steps.each.output.items }}", "after", parent=None)
    assert ("unknown_field", "/steps/2/cfg/title") in found(loop(), task(), after)


def test_steps_inside_see_what_ran_before_the_loop_and_are_not_seen_outside():
    before = task("x", "before", parent=None)
    inside = task("{{ steps.before.output.id }}")
    after = task("{{ steps.t.output.id }}", "after", parent=None)

    assert found(inside, loop(), before, edges=[{"from": "before", "to": "each"}]) == set()
    assert ("step_runs_later", "/steps/2/cfg/title") in found(loop(), task(), after)


def test_an_output_may_name_only_what_has_run_when_an_item_is_through():
    hot = {"id": "hot", "kind": "condition", "cfg": {"cel": "item > 1"}, "parent": "each"}
    edges = [{"from": "hot", "to": "t", "branch_key": "yes"}]
    cfg = EACH | {"output": "{{ steps.t.output.id }}"}

    assert ("step_may_not_run", "/steps/0/cfg/output") in found(loop(cfg), hot, task(), edges=edges)


def test_a_body_is_linked_on_its_own_level_and_not_empty():
    after = task("x", "after", parent=None)

    assert ("empty_loop", "/steps/0") in found(loop())
    crossing = [{"from": "each", "to": "t"}]
    assert ("crosses_loop", "/edges/0") in found(loop(), task(), edges=crossing)
    error = [{"from": "each", "to": "after", "branch_key": "error"}]
    assert found(loop(), task(), after, edges=error) == set()


def test_loops_stand_three_deep_at_most_and_not_in_themselves():
    loops = [loop(step_id=f"l{n}", **({"parent": f"l{n - 1}"} if n else {})) for n in range(4)]

    assert found(*loops[:3], task(parent="l2")) == set()
    assert ("too_deep", "/steps/3/parent") in found(*loops, task(parent="l3"))
    circle = [loop(step_id="a", parent="b"), loop(step_id="b", parent="a")]
    assert ("loop_in_itself", "/steps/0/parent") in found(*circle)


def test_the_canonical_form_leaves_defaults_out():
    said = EACH | {"mode": "each", "batch_size": 1, "concurrency": 1, "max_items": 10_000}

    assert canonical.dump(document(loop(said), task())) == canonical.dump(document(loop(), task()))


def test_shorthand_chains_the_steps_of_each_level_and_reads_spans():
    full = document(
        {"id": "each", "kind": "loop", "cfg": "{{ event.items }}"},
        task("x", "a"),
        task("y", "b"),
        task("z", "c", parent=None),
    )

    assert full["steps"][0]["cfg"] == {"list": "{{ event.items }}"}
    assert [(edge["from"], edge["to"]) for edge in full["edges"]] == [("each", "c"), ("a", "b")]
    paused = document(loop(UNTIL | {"pause": "5m"}), task())
    assert paused["steps"][0]["cfg"]["pause"] == {"value": 5, "unit": "minutes"}


def test_a_loop_comes_back_from_its_rows_as_it_was():
    given = document(loop(), task())
    base = {key: given[key] for key in given if key not in ("steps", "edges", "variables")}

    assert from_rows(to_rows(given), base) == given


@pytest.mark.parametrize(
    ("cfg", "said"),
    [
        ({"list": "{{ event.items }}"}, "For each item of Items"),
        ({"list": [1, 2], "concurrency": 5}, "For each item of 2 items, 5 at a time"),
        ({"list": "{{ event.items }}", "batch_size": 20}, "For every 20 items of Items"),
        (
            {"mode": "until", "until": {"cel": "true"}, "pause": {"value": 5, "unit": "minutes"}},
            "Repeats until a calculated condition holds, every 5 minutes, at most 100 times",
        ),
    ],
)
def test_a_loop_reads_as_a_sentence_with_its_steps_inside(cfg, said):
    told = outline(document(loop(cfg), task("x", "a"), task("y", "b")), catalog=Catalog())

    [step] = told.steps
    assert step.sentence == said
    [body] = step.branches
    assert [inner.id for inner in body.steps] == ["a", "b"]
    assert body.label == ("Each time" if "until" in cfg else "For each item")
