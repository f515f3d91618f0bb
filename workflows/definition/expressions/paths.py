"""Which data an expression, a text or a whole value names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workflows.definition.expressions.holes import sources_in
from workflows.definition.expressions.parse import parse
from workflows.definition.expressions.tree import Macro, Node, children, static_path

Path = tuple[str, ...]


def references(source: str) -> set[Path]:
    """Return the paths that an expression names, such as ``("steps", "find", "output", "id")``.

    A path ends where it is no longer a name (``event.items[0].id`` gives ``("event", "items")``);
    variables of macros are left out. Raises ExpressionSyntaxError, ExpressionLimitError.
    """
    return set(_paths(parse(source), frozenset()))


def references_in(value: Any) -> set[Path]:
    """Return the paths named in the holes of a text, or of all texts in lists and objects."""
    return {path for source in sources_in(value) for path in references(source)}


def _paths(node: Node, bound: frozenset[str]) -> Iterator[Path]:
    names = static_path(node)
    if names is not None:
        if names[0] not in bound:
            yield names
        return
    if isinstance(node, Macro):
        yield from _paths(node.target, bound)
        bound |= {node.variable}
        inner: tuple[Node, ...] = (node.body,) if node.where is None else (node.where, node.body)
        for part in inner:
            yield from _paths(part, bound)
        return
    for child in children(node):
        yield from _paths(child, bound)
