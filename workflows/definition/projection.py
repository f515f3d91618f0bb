"""A document's steps, edges and variables as rows for queries and admin, and back."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from workflows.definition import defaults

# What of a step has a column; everything else goes into ``extra``.
_STEP_COLUMNS = ("id", "kind", "action_key", "title", "cfg", "parent")
_VARIABLE_COLUMNS = ("key", "type", "value", "secret")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """One step; ``position`` is its place in the list, ``parent`` the slug of its loop or "".

    ``extra`` holds the fields without a column: ``join``, ``retry``, ``timeout_s``, ``note``.
    """

    slug: str
    position: int
    kind: str
    action_key: str
    title: str
    cfg: Any
    parent: str
    extra: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeRow:
    """One edge between two slugs; ``position`` is its place in the list."""

    from_slug: str
    to_slug: str
    branch_key: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableRow:
    """One variable; a secret one has no value here. ``extra`` holds title and description."""

    key: str
    type: str
    value: Any
    is_secret: bool
    extra: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """All rows of a document, in its order."""

    steps: tuple[StepRow, ...]
    edges: tuple[EdgeRow, ...]
    variables: tuple[VariableRow, ...]


def to_rows(document: Mapping[str, Any]) -> Rows:
    """Return the rows of a valid document in full form."""
    steps = (_step_row(step, at) for at, step in enumerate(document["steps"]))
    edges = (_edge_row(edge, at) for at, edge in enumerate(document["edges"]))
    variables = (_variable_row(variable) for variable in document["variables"])
    return Rows(steps=tuple(steps), edges=tuple(edges), variables=tuple(variables))


def from_rows(rows: Rows, base: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with its steps, edges and variables taken from the rows."""
    parts = {
        "steps": [_step(row) for row in sorted(rows.steps, key=lambda row: row.position)],
        "edges": [_edge(row) for row in sorted(rows.edges, key=lambda row: row.position)],
        "variables": [_variable(row) for row in rows.variables],
    }
    return defaults.fill({**base, **parts})


def _step_row(step: Mapping[str, Any], position: int) -> StepRow:
    return StepRow(
        slug=step["id"],
        position=position,
        kind=step["kind"],
        action_key=step.get("action_key", ""),
        title=step.get("title", ""),
        cfg=deepcopy(step["cfg"]),
        parent=step.get("parent", ""),
        extra=_rest(step, _STEP_COLUMNS),
    )


def _edge_row(edge: Mapping[str, Any], position: int) -> EdgeRow:
    return EdgeRow(
        from_slug=edge["from"],
        to_slug=edge["to"],
        branch_key=edge["branch_key"],
        position=position,
    )


def _variable_row(variable: Mapping[str, Any]) -> VariableRow:
    return VariableRow(
        key=variable["key"],
        type=variable["type"],
        value=deepcopy(variable.get("value")),
        is_secret=variable["secret"],
        extra=_rest(variable, _VARIABLE_COLUMNS),
    )


def _step(row: StepRow) -> dict[str, Any]:
    return {
        "id": row.slug,
        "kind": row.kind,
        "action_key": row.action_key,
        "title": row.title,
        "cfg": deepcopy(row.cfg),
        "parent": row.parent,
        **deepcopy(dict(row.extra)),
    }


def _edge(row: EdgeRow) -> dict[str, Any]:
    return {"from": row.from_slug, "to": row.to_slug, "branch_key": row.branch_key}


def _variable(row: VariableRow) -> dict[str, Any]:
    return {
        "key": row.key,
        "type": row.type,
        "secret": row.is_secret,
        "value": deepcopy(row.value),
        **deepcopy(dict(row.extra)),
    }


def _rest(item: Mapping[str, Any], columns: tuple[str, ...]) -> dict[str, Any]:
    return {key: deepcopy(value) for key, value in item.items() if key not in columns}
