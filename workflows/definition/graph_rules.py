"""What can be wrong with the way steps are linked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from leadsend.lib.errors import Problem, Severity
from workflows.definition import pointer, schema
from workflows.definition.graph import Graph
from workflows.definition.suggestions import nearest
from workflows.definition.waiting_rules import answer_keys
from workflows.definition.words import label_of

_BRANCHES: Mapping[str, tuple[str, ...]] = {
    "action": ("default", "error"),
    "condition": ("yes", "no", "error"),
    "delay": ("default", "error"),
    "wait": ("default", "timeout", "error"),
    "loop": ("default", "error"),
    "workflow": ("default", "error"),
    "code": ("default", "error"),
    "end": ("error",),
}
# Steps of these kinds do nothing but lead on.
_USELESS_AS_LAST = frozenset({"condition", "switch", "delay"})


def branches_of(step: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the branch keys on which a step can be left."""
    kind = step.get("kind")
    if kind == "switch":
        return (*_own_keys(step), "default", "error")
    if kind == "approval":
        return (*_own_keys(step), "timeout", "error")
    return _BRANCHES.get(kind, ("default",)) if isinstance(kind, str) else ("default",)


def fails_on_error_branch(step: Mapping[str, Any]) -> bool:
    """Say whether the branch ``error`` of a step is that of its failure.

    A case or an answer may be called so as well: then the branch is the case's, and a failure
    fails the run.
    """
    return "error" not in _own_keys(step)


def check_edges(document: Mapping[str, Any], graph: Graph) -> Iterator[Problem]:
    """Yield the edges that lead from or to nothing, stand twice, or use a branch there isn't."""
    seen = set()
    for index, edge in enumerate(document["edges"]):
        path = pointer.join("", "edges", index)
        unknown = list(_unknown_ends(edge, path, graph))
        yield from unknown
        key = (edge.get("from"), edge.get("to"), edge.get("branch_key"))
        if unknown or not all(isinstance(part, str) for part in key):
            continue
        if key in seen:
            yield _problem("duplicate_edge", "This link stands twice: remove one.", path, key[0])
        seen.add(key)
        yield from _check_branch(graph, edge, path)
        yield from _check_border(graph, edge, path)


def check_graph(graph: Graph, paths: Mapping[str, str]) -> Iterator[Problem]:
    """Yield circles, steps that are never reached, dead ends, and joins that cannot be met.

    ``paths`` gives the pointer of each step.
    """
    cycle = graph.find_cycle()
    if cycle:
        names = " → ".join(label_of(graph.steps[step]) for step in (*cycle, cycle[0]))
        message = f"These steps lead in a circle: {names}. Remove one of the links."
        yield _problem("cycle", message, paths[cycle[0]], cycle[0])
    yield from _check_reach(graph, paths)
    for step in graph.steps:
        yield from _check_timeout(graph, step, paths[step])
        yield from _check_join(graph, step, paths[step])
        yield from _check_end(graph, step, paths[step])
        yield from _check_parent(graph, step, paths[step])


def _own_keys(step: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the branches that a step's settings name."""
    if step.get("kind") == "switch":
        return tuple(_case_keys(step))
    return tuple(answer_keys(step)) if step.get("kind") == "approval" else ()


def _case_keys(step: Mapping[str, Any]) -> list[str]:
    cfg = step.get("cfg")
    cases = cfg.get("cases") if isinstance(cfg, Mapping) else None
    if not isinstance(cases, list):
        return []
    keys = [case.get("key") for case in cases if isinstance(case, Mapping)]
    return [key for key in keys if isinstance(key, str)]


def _unknown_ends(edge: Mapping[str, Any], path: str, graph: Graph) -> Iterator[Problem]:
    for end in ("from", "to"):
        name = edge.get(end)
        if isinstance(name, str) and name not in graph.steps:
            near = nearest(name, graph.steps)
            message = f"There is no step “{name}”: correct the link or remove it.{near}"
            yield _problem("unknown_step", message, pointer.join(path, end))


def _check_branch(graph: Graph, edge: Mapping[str, Any], path: str) -> Iterator[Problem]:
    source = graph.steps[edge["from"]]
    known = branches_of(source)
    branch = edge["branch_key"]
    if branch in known or graph.kind(edge["from"]) not in schema.KINDS:
        return
    label = label_of(source)
    if graph.kind(edge["from"]) == "end":
        message = f"{label} ends the run, so nothing can follow: remove the link."
    else:
        near = nearest(branch, known)
        message = f"{label} has no branch “{branch}”; it has {', '.join(known)}.{near}"
    yield _problem("unknown_branch", message, pointer.join(path, "branch_key"), edge["from"])


def _check_border(graph: Graph, edge: Mapping[str, Any], path: str) -> Iterator[Problem]:
    first, second = graph.steps[edge["from"]], graph.steps[edge["to"]]
    if (first.get("parent") or "") != (second.get("parent") or ""):
        message = "A link cannot lead into a loop or out of it: link steps on the same level."
        yield _problem("crosses_loop", message, path, edge["from"])


def _check_reach(graph: Graph, paths: Mapping[str, str]) -> Iterator[Problem]:
    reachable = graph.reachable()
    for step in graph.order:
        if step not in reachable or _hangs_on_nothing(graph, step):
            message = f"No run ever comes to {label_of(graph.steps[step])}: link it or remove it."
            yield _warning("unreachable", message, paths[step], step)
    starts = [step for step in graph.starts() if step in paths]
    for step in starts[1:]:
        message = (
            f"Nothing leads to {label_of(graph.steps[step])}, so it starts together with "
            f"{label_of(graph.steps[starts[0]])}: link it, unless this is meant."
        )
        yield _warning("several_starts", message, paths[step], step)


def _hangs_on_nothing(graph: Graph, step: str) -> bool:
    """Say whether all links to a step leave others on branches that they don't have."""
    edges = graph.incoming[step]
    return bool(edges) and all(
        edge.branch not in branches_of(graph.steps[edge.source]) for edge in edges
    )


def _check_timeout(graph: Graph, step: str, path: str) -> Iterator[Problem]:
    data = graph.steps[step]
    cfg = data.get("cfg")
    if graph.kind(step) not in {"wait", "approval"} or "timeout" not in graph.branches(step):
        return
    if isinstance(cfg, Mapping) and not cfg.get("timeout"):
        message = f"{label_of(data)} waits for ever, so its branch “timeout” is never taken: say how long."
        yield _warning("never_times_out", message, pointer.join(path, "cfg"), step)


def _check_join(graph: Graph, step: str, path: str) -> Iterator[Problem]:
    join = graph.join(step)
    first = join.get("first") if isinstance(join, Mapping) else None
    count = len(graph.incoming[step])
    if isinstance(first, int) and first > count:
        label = label_of(graph.steps[step])
        message = f"{label} waits for {first} links, but {count} lead to it: lower the number."
        yield _problem("join_too_high", message, pointer.join(path, "join", "first"), step)


def _check_end(graph: Graph, step: str, path: str) -> Iterator[Problem]:
    data = graph.steps[step]
    kind = graph.kind(step)
    taken = graph.branches(step)
    if kind in _USELESS_AS_LAST and not taken:
        message = f"Nothing follows {label_of(data)}: add a step behind it, or remove it."
        yield _warning("dead_end", message, path, step)
    elif kind == "switch":
        for key in _case_keys(data):
            if key not in taken:
                message = f"Nothing follows {label_of(data)} on the branch “{key}”."
                yield _warning("dead_end", message, path, step)


def _check_parent(graph: Graph, step: str, path: str) -> Iterator[Problem]:
    parent = graph.steps[step].get("parent")
    if not isinstance(parent, str) or not parent:
        return
    where = pointer.join(path, "parent")
    if parent not in graph.steps:
        near = nearest(parent, graph.steps)
        yield _problem("unknown_step", f"There is no loop “{parent}”.{near}", where, step)
    elif graph.kind(parent) != "loop":
        label = label_of(graph.steps[parent])
        message = f"{label} is no loop, so no step can stand inside it."
        yield _problem("not_a_loop", message, where, step)


def _problem(code: str, message: str, path: str, step_id: str | None = None) -> Problem:
    return Problem(code=code, message=message, path=path, step_id=step_id)


def _warning(code: str, message: str, path: str, step_id: str) -> Problem:
    return Problem(
        code=code, message=message, path=path, step_id=step_id, severity=Severity.WARNING
    )
