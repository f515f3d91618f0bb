"""Texts with holes, and whole values of them, compiled to functions of the scope.

Only what stands in the document is compiled; data that lands in a hole is never looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workflows.definition.expressions.access import Scope
from workflows.definition.expressions.compile import compile_expression
from workflows.definition.expressions.errors import ExpressionError
from workflows.definition.expressions.holes import Hole, check_depth, parts_of
from workflows.definition.expressions.limits import Budget
from workflows.definition.expressions.rendering import to_text

Run = Callable[[Scope], Any]


def compile_text(text: str) -> Run:
    """Return a function from scope to the text with its holes filled.

    A text that is exactly one hole keeps the type of its value; a text without holes is a
    constant. Raises ExpressionSyntaxError and ExpressionLimitError with places in the text; the
    function raises ExpressionError.
    """
    parts = parts_of(text)
    if not any(isinstance(part, Hole) for part in parts):
        return lambda scope: text
    if len(parts) == 1 and isinstance(parts[0], Hole):
        return _expression(parts[0], text)
    return _joined([_part(part, text) for part in parts])


def _part(part: str | Hole, text: str) -> str | Run:
    return part if isinstance(part, str) else _expression(part, text)


def _expression(hole: Hole, text: str) -> Run:
    try:
        return compile_expression(hole.source)
    except ExpressionError as error:
        error.shift(line=hole.line, column=hole.column, source=text)
        raise


def _joined(parts: list[str | Run]) -> Run:
    fixed = sum(len(part) for part in parts if isinstance(part, str))

    def filled(scope: Scope) -> str:
        budget = Budget()
        budget.build(fixed)
        return "".join(
            [part if isinstance(part, str) else to_text(part(scope), budget) for part in parts]
        )

    return filled


def compile_value(value: Any) -> Run:
    """Return a function from scope to the value with the holes of all its texts filled.

    Keys of objects are left as they are. What has no holes is handed out as it is, not copied.
    Raises and returns errors as ``compile_text`` does.
    """
    return _value(value, 0) or (lambda scope: value)


def _value(value: Any, depth: int) -> Run | None:
    """Return the function for a value, or None when it is a constant."""
    check_depth(depth)
    if isinstance(value, str):
        return compile_text(value) if "{{" in value else None
    if isinstance(value, Mapping):
        return _map(value, depth)
    if isinstance(value, list | tuple):
        return _list(value, depth)
    return None


def _map(value: Mapping[str, Any], depth: int) -> Run | None:
    runs = {key: _value(item, depth + 1) for key, item in value.items()}
    moving = [(key, run) for key, run in runs.items() if run is not None]
    if not moving:
        return None

    def filled(scope: Scope) -> dict[str, Any]:
        result = dict(value)
        for key, run in moving:
            result[key] = run(scope)
        return result

    return filled


def _list(value: list[Any] | tuple[Any, ...], depth: int) -> Run | None:
    runs = [_value(item, depth + 1) for item in value]
    moving = [(at, run) for at, run in enumerate(runs) if run is not None]
    if not moving:
        return None

    def filled(scope: Scope) -> list[Any]:
        result = list(value)
        for at, run in moving:
            result[at] = run(scope)
        return result

    return filled
