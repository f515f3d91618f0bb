"""A document's steps as a graph: who follows whom, on which branch, in which order."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

Join = str | Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A link on which a run goes on; ``index`` is its place in the document's list."""

    source: str
    target: str
    branch: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The sound part of a document's graph.

    Steps without a usable id, repeated ids and edges that lead nowhere are left out, so that it
    can be made of any draft. ``order`` lists the steps so that each follows all its predecessors;
    steps in a circle or behind one are not in it. ``undoes`` maps a step that only undoes another
    one to that other step; where several name the same, the first has it.
    """

    steps: Mapping[str, Mapping[str, Any]]
    outgoing: Mapping[str, tuple[Edge, ...]]
    incoming: Mapping[str, tuple[Edge, ...]]
    order: tuple[str, ...]
    undoes: Mapping[str, str]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Return the graph of a document in full form, however wrong its parts are."""
        steps: dict[str, Mapping[str, Any]] = {}
        for step in document.get("steps", ()):
            if isinstance(step.get("id"), str):
                steps.setdefault(step["id"], step)
        outgoing: dict[str, list[Edge]] = defaultdict(list)
        incoming: dict[str, list[Edge]] = defaultdict(list)
        for edge in _sound_edges(document, steps):
            outgoing[edge.source].append(edge)
            incoming[edge.target].append(edge)
        return cls(
            steps=steps,
            outgoing={step: tuple(outgoing[step]) for step in steps},
            incoming={step: tuple(incoming[step]) for step in steps},
            order=_order(steps, outgoing, incoming),
            undoes=_undoes(steps),
        )

    def successors(self, step: str, branch: str | None = None) -> tuple[str, ...]:
        """Return the steps that follow on a branch (None: on any), in the document's order."""
        edges = self.outgoing[step]
        return tuple(edge.target for edge in edges if branch is None or edge.branch == branch)

    def predecessors(self, step: str) -> tuple[str, ...]:
        """Return the steps that lead here, in the document's order, one for each edge."""
        return tuple(edge.source for edge in self.incoming[step])

    def branches(self, step: str) -> dict[str, tuple[str, ...]]:
        """Return the steps that follow, by branch key; branches that end are not in it."""
        keys = dict.fromkeys(edge.branch for edge in self.outgoing[step])
        return {key: self.successors(step, key) for key in keys}

    def starts(self, parent: str = "") -> tuple[str, ...]:
        """Return the steps with which a run (or the body of the loop ``parent``) begins."""
        return tuple(
            step
            for step, data in self.steps.items()
            if not self.incoming[step]
            and (data.get("parent") or "") == parent
            and step not in self.undoes
        )

    def kind(self, step: str) -> str:
        """Return a step's kind, "" where it is no text."""
        kind = self.steps[step].get("kind")
        return kind if isinstance(kind, str) else ""

    def loops_around(self, step: str) -> tuple[str, ...]:
        """Return the loops in which a step stands, the innermost first.

        A loop that is inside itself ends with the step that closes the circle.
        """
        found: list[str] = []
        parent = self.steps[step].get("parent")
        while isinstance(parent, str) and parent in self.steps and parent not in found:
            found.append(parent)
            parent = self.steps[parent].get("parent")
        return tuple(found)

    def join(self, step: str) -> Join:
        """Return how a step waits for its edges: ``all``, ``any`` or ``{"first": n}``."""
        join: Join = self.steps[step].get("join", "all")
        return join

    def ancestors(self, step: str) -> frozenset[str]:
        """Return all steps from which this one can be reached; an undo step comes after its own."""
        done = self.undoes.get(step)
        found: set[str] = set() if done is None else {done}
        pending = [step if done is None else done]
        while pending:
            for source in self.predecessors(pending.pop()):
                if source not in found:
                    found.add(source)
                    pending.append(source)
        return frozenset(found)

    def reachable(self) -> frozenset[str]:
        """Return all steps that a run can come to."""
        parents = {data.get("parent") or "" for data in self.steps.values()}
        pending = [
            start for parent in parents if isinstance(parent, str) for start in self.starts(parent)
        ]
        found = set(pending)
        while pending:
            for target in self.successors(pending.pop()):
                if target not in found:
                    found.add(target)
                    pending.append(target)
        return frozenset(found) | {step for step, done in self.undoes.items() if done in found}

    def find_cycle(self) -> tuple[str, ...]:
        """Return the steps of one circle in the direction of its edges, the first in the document first."""
        sorted_out = set(self.order)
        left = [step for step in self.steps if step not in sorted_out]
        if not left:
            return ()
        # Every step left has a predecessor that is left, too: walking back must meet itself.
        walk: dict[str, int] = {}
        step = left[0]
        while step not in walk:
            walk[step] = len(walk)
            step = next(p for p in self.predecessors(step) if p not in sorted_out)
        circle = list(reversed(list(walk)[walk[step] :]))
        first = next(at for at in self.steps if at in circle)
        return (*circle[circle.index(first) :], *circle[: circle.index(first)])


def _sound_edges(document: Mapping[str, Any], steps: Mapping[str, Any]) -> Iterator[Edge]:
    seen = set()
    for index, item in enumerate(document.get("edges", ())):
        source, target = item.get("from"), item.get("to")
        branch = item.get("branch_key", "default")
        if not all(isinstance(part, str) for part in (source, target, branch)):
            continue
        if source in steps and target in steps and (source, target, branch) not in seen:
            seen.add((source, target, branch))
            yield Edge(source=source, target=target, branch=branch, index=index)


def _undoes(steps: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for step, data in steps.items():
        undo = data.get("undo")
        if isinstance(undo, str) and undo in steps and undo != step:
            found.setdefault(undo, step)
    return found


def _order(
    steps: Mapping[str, Any],
    outgoing: Mapping[str, list[Edge]],
    incoming: Mapping[str, list[Edge]],
) -> tuple[str, ...]:
    place = {step: at for at, step in enumerate(steps)}
    waiting = {step: len(incoming[step]) for step in steps}
    ready = [(place[step], step) for step in steps if not waiting[step]]
    order = []
    while ready:
        _, step = heapq.heappop(ready)
        order.append(step)
        for edge in outgoing[step]:
            waiting[edge.target] -= 1
            if not waiting[edge.target]:
                heapq.heappush(ready, (place[edge.target], edge.target))
    return tuple(order)
