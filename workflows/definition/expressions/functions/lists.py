"""Methods on lists and objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows.definition.expressions.errors import ExpressionError, MissingValueError
from workflows.definition.expressions.functions.form import (
    ANY,
    INT,
    LIST,
    MAP,
    NUMBER,
    TEXT,
    Function,
)
from workflows.definition.expressions.functions.numbers import number_of
from workflows.definition.expressions.limits import Budget
from workflows.definition.expressions.operators import add
from workflows.definition.expressions.rendering import to_text
from workflows.definition.expressions.values import comparable, equal


def first(budget: Budget, items: Any) -> Any:
    """Return the first item or character."""
    return _end(items, 0)


def last(budget: Budget, items: Any) -> Any:
    """Return the last item or character."""
    return _end(items, -1)


def _end(items: Any, at: int) -> Any:
    if not len(items):
        raise MissingValueError("The list is empty")
    return items[at]


def join(budget: Budget, items: Any, separator: str = "") -> str:
    """Return the items as one text."""
    budget.spend(1 + len(items) // 10)
    budget.build(len(separator) * len(items))
    return separator.join([to_text(item, budget) for item in items])


def slice_of(budget: Budget, items: Any, start: int, end: int) -> Any:
    """Return the items from ``start`` up to before ``end``; beyond the end there is nothing."""
    if start < 0 or end < start:
        raise ExpressionError("`slice` needs a start from 0 and an end that is not before it")
    part = items[start:end]
    budget.build(len(part))
    return part


def reverse(budget: Budget, items: Any) -> Any:
    """Return the items in the other order."""
    budget.build(len(items))
    return list(reversed(items))


def sort(budget: Budget, items: Any) -> list[Any]:
    """Return the items in rising order."""
    _spend_on_sorting(budget, items)
    return sorted(_in_one_order(items))


def _spend_on_sorting(budget: Budget, items: Any) -> None:
    budget.spend(1 + len(items) * len(items).bit_length() // 10)
    budget.build(len(items))


def _in_one_order(items: Any) -> list[Any]:
    """Return the items, all comparable with the first. Raises ExpressionError."""
    return [comparable(items[0], item)[1] for item in items]


def distinct(budget: Budget, items: Any) -> list[Any]:
    """Return each value once, in the order of its first occurrence."""
    budget.build(len(items))
    kept: list[Any] = []
    for item in items:
        budget.spend(1 + len(kept) // 10)
        if not any(equal(item, other, budget) for other in kept):
            kept.append(item)
    return kept


def total(budget: Budget, items: Any) -> Any:
    """Return the sum of numbers; of an empty list 0."""
    budget.spend(1 + len(items) // 10)
    result: Any = 0
    for item in items:
        result = add(result, number_of(item), budget)
    return result


def smallest(budget: Budget, items: Any) -> Any:
    """Return the smallest item."""
    _spend_on_sorting(budget, items)
    return min(_in_one_order(items)) if len(items) else _end(items, 0)


def largest(budget: Budget, items: Any) -> Any:
    """Return the largest item."""
    _spend_on_sorting(budget, items)
    return max(_in_one_order(items)) if len(items) else _end(items, 0)


def keys(budget: Budget, value: Mapping[str, Any]) -> list[Any]:
    """Return the names of an object's fields."""
    budget.build(len(value))
    return list(value)


def values(budget: Budget, value: Mapping[str, Any]) -> list[Any]:
    """Return the values of an object's fields."""
    budget.build(len(value))
    return list(value.values())


LISTS: tuple[Function, ...] = (
    Function(name="first", run=first, on=LIST | TEXT, result=ANY, example='["a", "b"].first()',
             gives="a", does="the first item; missing when there is none"),
    Function(name="last", run=last, on=LIST | TEXT, result=ANY,
             example='"Ada Byron".split(" ").last()', gives="Byron",
             does="the last item; missing when there is none"),
    Function(name="join", run=join, on=LIST, args=(TEXT,), optional=1, result=TEXT,
             example='["a", "b"].join(", ")', gives="a, b", does="the items as one text"),
    Function(name="slice", run=slice_of, on=LIST, args=(INT, INT), result=LIST,
             example="[1, 2, 3].slice(0, 2)", gives="[1,2]",
             does="items from a place (0 is the first) up to before another"),
    Function(name="reverse", run=reverse, on=LIST, result=LIST, example="[1, 2].reverse()",
             gives="[2,1]", does="the other order"),
    Function(name="sort", run=sort, on=LIST, result=LIST, example="[3, 1, 2].sort()",
             gives="[1,2,3]", does="rising order; all items of one kind"),
    Function(name="distinct", run=distinct, on=LIST, result=LIST, example="[1, 2, 1].distinct()",
             gives="[1,2]", does="each value once"),
    Function(name="sum", run=total, on=LIST, result=NUMBER, example="[1, 2.5].sum()", gives="3.5",
             does="the sum of numbers"),
    Function(name="min", run=smallest, on=LIST, result=ANY, example="[3, 1].min()", gives="1",
             does="the smallest item"),
    Function(name="max", run=largest, on=LIST, result=ANY, example="[3, 1].max()", gives="3",
             does="the largest item"),
    Function(name="keys", run=keys, on=MAP, result=LIST, example='{"a": 1}.keys()', gives='["a"]',
             does="the names of the fields"),
    Function(name="values", run=values, on=MAP, result=LIST, example='{"a": 1}.values()',
             gives="[1]", does="the values of the fields"),
)  # fmt: skip
