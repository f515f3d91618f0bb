from __future__ import annotations

from hypothesis import given

from workflows.definition.certainty import certain_before
from workflows.definition.graph import Graph
from workflows.definition.tests.strategies import documents


def _graph(edges, **kinds):
    """Make a graph of edges like ``"a b"`` or ``"a yes b"``; kinds default to action."""
    parts = [edge.split() for edge in edges]
    names = dict.fromkeys(name for part in parts for name in (part[0], part[-1]))
    joins = {"any": "any"}
    steps = [
        {
            "id": name,
            "kind": kinds.get(name, "action") if kinds.get(name) not in joins else "action",
        }
        | ({"join": joins[kinds[name]]} if kinds.get(name) in joins else {})
        for name in names
    ]
    links = [
        {"from": part[0], "to": part[-1], "branch_key": part[1] if part[2:] else "default"}
        for part in parts
    ]
    return Graph.of({"steps": steps, "edges": links})


def test_the_order_puts_every_step_behind_its_predecessors():
    graph = _graph(["a b", "a c", "c b", "b d"])

    assert graph.order == ("a", "c", "b", "d")
    assert graph.starts() == ("a",)
    assert graph.predecessors("b") == ("a", "c")
    assert graph.branches("a") == {"default": ("b", "c")}
    assert graph.ancestors("d") == {"a", "b", "c"}


def test_a_circle_is_found_with_exactly_its_steps():
    graph = _graph(["a b", "b c", "c b", "c d"])

    assert set(graph.find_cycle()) == {"b", "c"}
    assert graph.order == ("a",)


@given(documents())
def test_a_graph_can_be_made_of_any_draft(document):
    graph = Graph.of(document)

    cycle = graph.find_cycle()
    assert (len(graph.order) == len(graph.steps)) == (not cycle)
    for first, second in zip(cycle, (*cycle[1:], *cycle[:1]), strict=True):
        assert second in graph.successors(first)


def test_steps_of_a_chain_are_certain():
    assert certain_before(_graph(["a b", "b c"]))["c"] == {"a", "b"}


def test_after_parallel_branches_both_are_certain():
    certain = certain_before(_graph(["a b", "a c", "b d", "c d"]))

    assert certain["d"] == {"a", "b", "c"}
    assert certain["b"] == {"a"}


def test_after_the_branches_of_a_condition_neither_is_certain():
    certain = certain_before(_graph(["if yes b", "if no c", "b d", "c d"], **{"if": "condition"}))

    assert certain["d"] == {"if"}


def test_past_a_join_for_any_one_only_the_common_part_is_certain():
    assert certain_before(_graph(["a b", "a c", "b d", "c d"], d="any"))["d"] == {"a"}


def test_on_the_error_branch_the_failed_step_is_not_certain():
    certain = certain_before(_graph(["a b", "b error c", "b d"]))

    assert certain["c"] == {"a"}
    assert certain["d"] == {"a", "b"}


def test_a_step_that_may_fail_softly_is_not_certain_at_the_join():
    certain = certain_before(_graph(["a b", "a c", "b error e", "b d", "c d"]))

    assert certain["d"] == {"a", "c"}
