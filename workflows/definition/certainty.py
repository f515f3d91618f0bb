"""Which steps have certainly succeeded when a step begins, and which may have been left out.

Two sets are followed along the edges. *Implied*: what must have happened, or must still happen,
if this point is reached. *Done*: what has come to its end (run, or left out) by then. A step is
certain where it is in both: after a join of two parallel branches both are, after the branches of
a condition neither is, and past a join that waits for any one, only the common part is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from workflows.definition.graph import Edge, Graph

Steps = frozenset[str]
_NONE: Steps = frozenset()
# Kinds that always go out on the branch `default` when they succeed.
_STRAIGHT_KINDS = frozenset({"action", "delay", "workflow", "code", "loop"})


def certain_before(graph: Graph) -> Mapping[str, Steps]:
    """Return, by step, the steps whose output is there whenever it begins.

    Steps in a circle are not in the result.
    """
    implied: dict[str, Steps] = {}
    done: dict[str, Steps] = {}
    # A loop comes before the steps inside it; within a level the order stays.
    for step in sorted(graph.order, key=lambda step: len(graph.loops_around(step))):
        edges = [edge for edge in graph.incoming[step] if edge.source in implied]
        from_edges = [_implied_on(graph, edge, implied[edge.source]) for edge in edges]
        implied[step] = reduce(Steps.intersection, from_edges) if edges else _NONE
        resolved = [done[edge.source] | {edge.source} for edge in edges]
        combine = Steps.union if graph.join(step) == "all" else Steps.intersection
        done[step] = reduce(combine, resolved) if edges else _NONE
        parent = graph.steps[step].get("parent")
        if isinstance(parent, str) and parent in implied:
            implied[step] |= implied[parent]
            done[step] |= done[parent]
    certain = {step: implied[step] & done[step] for step in graph.order}
    # What is undone has succeeded, and with it what was certain before it.
    return certain | {
        step: certain[undone] | {undone}
        for step, undone in graph.undoes.items()
        if step in certain and undone in certain
    }


def certain_at_end(graph: Graph, loop: str, before: Mapping[str, Steps]) -> Steps:
    """Return the steps inside a loop that have run whenever one of its items succeeded.

    ``before`` is what ``certain_before`` found. An ``end`` inside leaves out what was not certain
    before it.
    """
    inside = [step for step in graph.steps if graph.steps[step].get("parent") == loop]
    found: set[str] = set()
    pending = list(graph.starts(loop))
    while pending:
        step = pending.pop()
        if step in found or _may_fail_softly(graph, step):
            continue
        found.add(step)
        pending += _always_after(graph, step)
    for step in inside:
        if graph.kind(step) == "end":
            found &= before.get(step, _NONE) | {step}
    return frozenset(found)


def _always_after(graph: Graph, step: str) -> Steps:
    if graph.kind(step) in _STRAIGHT_KINDS:
        return frozenset(graph.successors(step, "default"))
    if graph.kind(step) == "condition":
        return _forced(graph, step, "yes") & _forced(graph, step, "no")
    return _NONE


def _implied_on(graph: Graph, edge: Edge, before: Steps) -> Steps:
    if edge.branch == "error":
        return before | _forced(graph, edge.source, "error")
    return before | {edge.source} | _forced(graph, edge.source, edge.branch)


def _forced(graph: Graph, step: str, branch: str) -> Steps:
    """Return the steps that must succeed once a branch is taken, or the run fails as a whole."""
    found: set[str] = set()
    pending = list(graph.successors(step, branch))
    while pending:
        target = pending.pop()
        if target in found or _may_fail_softly(graph, target):
            continue
        found.add(target)
        if graph.kind(target) in _STRAIGHT_KINDS:
            pending.extend(graph.successors(target, "default"))
    return frozenset(found)


def _may_fail_softly(graph: Graph, step: str) -> bool:
    return any(edge.branch == "error" for edge in graph.outgoing[step])
