"""What can be wrong with steps that undo others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from leadsend.lib.errors import Problem
from workflows.definition import pointer
from workflows.definition.graph import Graph
from workflows.definition.suggestions import nearest
from workflows.definition.words import label_of

# Kinds that do something; what only steers cannot take anything back.
_KINDS: Final = frozenset({"action", "workflow", "code"})


def check_undo(graph: Graph, paths: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is wrong with the field ``undo`` of steps; ``paths`` gives each step's pointer.

    The step it names exists, does something, is linked to nothing, undoes one step only, and is not
    undone itself; neither of them stands in a loop.
    """
    for step, data in graph.steps.items():
        undo = data.get("undo")
        if isinstance(undo, str) and undo:
            where = pointer.join(paths[step], "undo")
            for code, message in _faults(graph, step, undo):
                yield Problem(code=code, message=message, path=where, step_id=step)


def _faults(graph: Graph, step: str, undo: str) -> Iterator[tuple[str, str]]:
    if undo not in graph.steps:
        near = nearest(undo, graph.steps)
        yield "unknown_step", f"There is no step “{undo}” that could undo this one.{near}"
        return
    if undo == step:
        yield "undo_itself", "A step cannot undo itself: name another one."
        return
    data, label = graph.steps[undo], label_of(graph.steps[undo])
    if graph.kind(undo) not in _KINDS:
        yield "undo_kind", f"{label} does nothing that could undo a step: name an action."
    if graph.incoming[undo] or graph.outgoing[undo]:
        own = label_of(graph.steps[step])
        message = f"{label} undoes {own}, so it runs only when the run fails: remove its links."
        yield "undo_linked", message
    if graph.undoes[undo] != step:
        first = label_of(graph.steps[graph.undoes[undo]])
        yield "undo_shared", f"{label} undoes {first} already: make a step of its own for this one."
    if data.get("parent") or graph.steps[step].get("parent"):
        yield "undo_in_loop", "Steps in a loop cannot be undone yet: take “undo” out."
    if data.get("undo"):
        yield "undo_of_undo", f"{label} undoes a step, so it cannot be undone itself."
