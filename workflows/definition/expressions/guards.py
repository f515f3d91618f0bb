"""Which paths are surely there because an expression asked with has(…)."""

from __future__ import annotations

from workflows.definition.expressions.tree import Binary, Has, Node, Unary, static_path

Paths = frozenset[tuple[str, ...]]
_NONE: Paths = frozenset()


def sure_if_true(node: Node) -> Paths:
    """Return the paths that are there when the expression is true."""
    match node:
        case Has(path=path):
            names = static_path(path) or ()
            return frozenset(names[:count] for count in range(2, len(names) + 1))
        case Unary(operator="!", operand=operand):
            return sure_if_false(operand)
        case Binary(operator="&&", left=left, right=right):
            return sure_if_true(left) | sure_if_true(right)
        case _:
            return _NONE


def sure_if_false(node: Node) -> Paths:
    """Return the paths that are there when the expression is false."""
    match node:
        case Unary(operator="!", operand=operand):
            return sure_if_true(operand)
        case Binary(operator="||", left=left, right=right):
            return sure_if_false(left) | sure_if_false(right)
        case _:
            return _NONE
