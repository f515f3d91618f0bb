"""Whether a field of a watched table changed: the operators changed and changed_from_to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows.definition.expressions.access import Scope
from workflows.definition.expressions.comparisons import same
from workflows.definition.expressions.errors import ExpressionSyntaxError
from workflows.definition.expressions.holes import Hole, parts_of
from workflows.definition.expressions.limits import Budget
from workflows.definition.expressions.parse import parse
from workflows.definition.expressions.tree import static_path

CHANGE_OPERATORS = ("changed", "changed_from_to")


def field_path(left: Any) -> tuple[str, ...]:
    """Return the names behind ``event.new`` of a left side. Raises ExpressionSyntaxError."""
    parts = parts_of(left) if isinstance(left, str) else ()
    if len(parts) == 1 and isinstance(parts[0], Hole):
        path = static_path(parse(parts[0].source))
        if path and path[0] == "event" and len(path) > 2 and path[1] in {"new", "old"}:
            return path[2:]
    raise ExpressionSyntaxError(
        "A change is looked for in one field of a watched table: {{ event.new.status }}"
    )


def has_changed(path: tuple[str, ...], scope: Scope, budget: Budget) -> bool:
    """Return whether a row was updated and this field is not what it was."""
    event = scope.get("event")
    if not isinstance(event, Mapping) or event.get("op") != "update":
        return False
    names = event.get("changed")
    if isinstance(names, list) and path[0] not in names:
        return False
    return (len(path) == 1 and isinstance(names, list)) or not same(
        *old_and_new(path, scope), budget
    )


def old_and_new(path: tuple[str, ...], scope: Scope) -> tuple[Any, Any]:
    """Return the field's value before and after; None where there is none."""
    event = scope.get("event")
    rows = (event.get("old"), event.get("new")) if isinstance(event, Mapping) else (None, None)
    return _dig(rows[0], path), _dig(rows[1], path)


def _dig(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def went_from_to(old: Any, new: Any, wanted: Any, budget: Budget) -> bool:
    """Return whether a field went from one value to another, ``{"from", "to"}``; either is free."""
    ends = wanted if isinstance(wanted, Mapping) else {"to": wanted}
    if same(old, new, budget):
        return False
    return ("from" not in ends or same(old, ends["from"], budget)) and (
        "to" not in ends or same(new, ends["to"], budget)
    )
