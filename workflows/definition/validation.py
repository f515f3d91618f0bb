"""Finds everything that is wrong with a document; never raises, whatever it is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from leadsend.lib.errors import Problem, Severity
from registry.sdk.catalog_view import CatalogView
from workflows.definition import canonical, defaults, form, part_rules, pointer
from workflows.definition.expression_rules import check_expressions
from workflows.definition.graph import Graph
from workflows.definition.graph_rules import check_edges, check_graph
from workflows.definition.loop_rules import check_bodies
from workflows.definition.undo_rules import check_undo

MAX_PROBLEMS = 200
_LISTS = ("steps", "edges", "triggers", "variables")


def validate(document: Any, *, catalog: CatalogView) -> list[Problem]:
    """Return the problems of a document, at most ``MAX_PROBLEMS``, in the order of checking.

    Accepts any value. Where the shape is so wrong that nothing more can be said (no object, steps
    that are no list), only the form is spoken about.
    """
    problems = list(islice(canonical.find_problems(document), MAX_PROBLEMS))
    if problems:
        return problems
    if not isinstance(document, Mapping):
        message = "A workflow document is a JSON object: write {…} around it."
        return [Problem(code="form", message=message)]
    return list(islice(_find(document, catalog), MAX_PROBLEMS))


def errors_of(problems: list[Problem]) -> list[Problem]:
    """Return those that refuse publishing."""
    return [problem for problem in problems if problem.severity == Severity.ERROR]


def _find(document: Mapping[str, Any], catalog: CatalogView) -> Iterator[Problem]:
    full = defaults.fill(document)
    yield from form.check_frame(full)
    if not _has_shape(full):
        return
    graph = Graph.of(full)
    paths = _paths_of_steps(full)
    yield from part_rules.check_settings(full)
    yield from part_rules.check_variables(full)
    yield from part_rules.check_triggers(full, catalog)
    yield from part_rules.check_steps(full, catalog)
    for index, edge in enumerate(full["edges"]):
        yield from form.check_part("edges", edge, path=pointer.join("", "edges", index))
    yield from check_edges(full, graph)
    yield from check_graph(graph, paths)
    yield from check_bodies(graph, paths)
    yield from check_undo(graph, paths)
    yield from check_expressions(full, graph, catalog=catalog, paths=paths)


def _has_shape(document: Mapping[str, Any]) -> bool:
    return all(
        isinstance(document[part], list)
        and all(isinstance(item, Mapping) for item in document[part])
        for part in _LISTS
    )


def _paths_of_steps(document: Mapping[str, Any]) -> dict[str, str]:
    paths: dict[str, str] = {}
    for index, step in enumerate(document["steps"]):
        if isinstance(step.get("id"), str):
            paths.setdefault(step["id"], pointer.join("", "steps", index))
    return paths
