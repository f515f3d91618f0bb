"""The values of expressions: their kinds, equality and order, as CEL has them.

Values are JSON plus aware ``datetime`` and ``timedelta``. Numbers compare across whole and
decimal; true is not 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from workflows.definition.expressions.errors import ExpressionError, ExpressionLimitError
from workflows.definition.expressions.limits import ITEM_SIZE, MAX_DATA_DEPTH, Budget
from workflows.definition.expressions.times import time_of


class Kind(StrEnum):
    """What a value is; the words are those of ``type(x)``."""

    NULL = "null_type"
    BOOL = "bool"
    INT = "int"
    DOUBLE = "double"
    STRING = "string"
    LIST = "list"
    MAP = "map"
    TIMESTAMP = "timestamp"
    DURATION = "duration"


NUMBERS = frozenset({Kind.INT, Kind.DOUBLE})
_ORDERED = frozenset({Kind.INT, Kind.DOUBLE, Kind.STRING, Kind.BOOL, Kind.DURATION})
IN_WORDS = {
    Kind.NULL: "null",
    Kind.BOOL: "true or false",
    Kind.INT: "a number",
    Kind.DOUBLE: "a number",
    Kind.STRING: "text",
    Kind.LIST: "a list",
    Kind.MAP: "an object",
    Kind.TIMESTAMP: "a time",
    Kind.DURATION: "a duration",
}
_KINDS: dict[type, Kind] = {
    type(None): Kind.NULL,
    bool: Kind.BOOL,
    int: Kind.INT,
    float: Kind.DOUBLE,
    str: Kind.STRING,
    list: Kind.LIST,
    tuple: Kind.LIST,
    dict: Kind.MAP,
    datetime: Kind.TIMESTAMP,
    timedelta: Kind.DURATION,
}


def kind_of(value: Any) -> Kind:
    """Return the kind of a value. Raises ExpressionError for a Python object that is none."""
    kind = _KINDS.get(type(value))
    if kind is not None:
        return kind
    if isinstance(value, Mapping):
        return Kind.MAP
    for known, of_subclass in _KINDS.items():
        if isinstance(value, known):
            return of_subclass
    raise ExpressionError(f"A {type(value).__name__} cannot be used in an expression")


def types_of(kinds: frozenset[Kind]) -> frozenset[type]:
    """Return the Python types of values of these kinds, subclasses aside."""
    return frozenset(known for known, kind in _KINDS.items() if kind in kinds)


def in_words(value: Any) -> str:
    """Return what a value is, for messages."""
    return IN_WORDS[kind_of(value)]


def equal(left: Any, right: Any, budget: Budget, depth: int = 0) -> bool:
    """Return CEL's equality: values of different kinds are not equal, numbers by value."""
    if left is right:
        return not isinstance(left, float) or not math.isnan(left)
    one, other = kind_of(left), kind_of(right)
    if one is not other:
        return one in NUMBERS and other in NUMBERS and bool(left == right)
    if one is Kind.LIST:
        return _equal_lists(left, right, budget, depth)
    if one is Kind.MAP:
        return _equal_maps(left, right, budget, depth)
    if one is Kind.STRING:
        budget.read(left)
    return bool(left == right)


def _equal_lists(left: Any, right: Any, budget: Budget, depth: int) -> bool:
    if len(left) != len(right):
        return False
    _deeper(budget, depth, len(left))
    return all(equal(a, b, budget, depth + 1) for a, b in zip(left, right, strict=True))


def _equal_maps(left: Any, right: Any, budget: Budget, depth: int) -> bool:
    if left.keys() != right.keys():
        return False
    _deeper(budget, depth, len(left))
    return all(equal(left[key], right[key], budget, depth + 1) for key in left)


def _deeper(budget: Budget, depth: int, count: int) -> None:
    budget.spend(1 + count)
    if depth > MAX_DATA_DEPTH:
        raise ExpressionLimitError(f"The data is nested deeper than {MAX_DATA_DEPTH} levels")


def comparable(left: Any, right: Any) -> tuple[Any, Any]:
    """Return the two values ready for Python's ``<``; a time is compared with ISO text as a time.

    Raises ExpressionError when the two have no order.
    """
    one, other = kind_of(left), kind_of(right)
    if one is other and one in _ORDERED:
        return left, right
    if one in NUMBERS and other in NUMBERS:
        return left, right
    if {one, other} in ({Kind.TIMESTAMP}, {Kind.TIMESTAMP, Kind.STRING}):
        return time_of(left), time_of(right)
    if one is other:
        raise ExpressionError(f"{IN_WORDS[one].capitalize()} has no order")
    raise ExpressionError(f"{IN_WORDS[one].capitalize()} and {IN_WORDS[other]} have no order")


def check_size(value: Any, budget: Budget, depth: int = 0) -> None:
    """Count what a built value would be when written out. Raises ExpressionLimitError."""
    if isinstance(value, str):
        budget.build(len(value))
        return
    if not isinstance(value, list | tuple | Mapping):
        return
    if depth > MAX_DATA_DEPTH:
        raise ExpressionLimitError(f"The result is nested deeper than {MAX_DATA_DEPTH} levels")
    budget.build(ITEM_SIZE * (1 + len(value)))
    for item in value.values() if isinstance(value, Mapping) else value:
        check_size(item, budget, depth + 1)
