"""What the operators do. Every function takes two values and raises ExpressionError."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from workflows.definition.expressions.errors import ExpressionError
from workflows.definition.expressions.limits import Budget
from workflows.definition.expressions.times import moved
from workflows.definition.expressions.values import (
    NUMBERS,
    Kind,
    comparable,
    equal,
    in_words,
    kind_of,
)

MAX_INT, MIN_INT = 2**63 - 1, -(2**63)
_PLAIN = frozenset({int, str, float})  # compared as Python does
Operator = Callable[[Any, Any, Budget], Any]


def checked(number: float) -> float:
    """Return the number unless it is beyond 64 bits or infinite. Raises ExpressionError."""
    if isinstance(number, int):
        if MIN_INT <= number <= MAX_INT:
            return number
    elif math.isfinite(number):
        return number
    raise ExpressionError("The number is too large")


def _both_numbers(left: Any, right: Any) -> bool:
    return kind_of(left) in NUMBERS and kind_of(right) in NUMBERS


def _calculate(by: Callable[[Any, Any], float], left: Any, right: Any) -> float:
    try:
        return checked(by(left, right))
    except OverflowError:
        raise ExpressionError("The number is too large") from None


def _cannot(act: str, left: Any, right: Any, hint: str = "") -> ExpressionError:
    return ExpressionError(f"{in_words(left)} and {in_words(right)} cannot be {act}{hint}")


def add(left: Any, right: Any, budget: Budget) -> Any:
    """Add numbers, join texts or lists, move times."""
    if isinstance(left, str) and isinstance(right, str):
        budget.build(len(left) + len(right))
        return left + right
    if _both_numbers(left, right):
        return _calculate(lambda a, b: a + b, left, right)
    if isinstance(left, list) and isinstance(right, list):
        budget.build(len(left) + len(right))
        budget.spend((len(left) + len(right)) // 10)
        return left + right
    return _add_times(left, right)


def _add_times(left: Any, right: Any) -> Any:
    if isinstance(left, datetime) and isinstance(right, timedelta):
        return moved(left, right)
    if isinstance(left, timedelta) and isinstance(right, datetime):
        return moved(right, left)
    if isinstance(left, timedelta) and isinstance(right, timedelta):
        return _sum_of_durations(left, right)
    mixed = isinstance(left, str) or isinstance(right, str)
    hint = "; use string(…) to make text of a value" if mixed else ""
    raise _cannot("added", left, right, hint)


def _sum_of_durations(left: timedelta, right: timedelta) -> timedelta:
    try:
        return left + right
    except OverflowError:
        raise ExpressionError("This duration is too long") from None


def subtract(left: Any, right: Any, budget: Budget) -> Any:
    """Subtract numbers, durations or times."""
    if _both_numbers(left, right):
        return _calculate(lambda a, b: a - b, left, right)
    if isinstance(left, datetime) and isinstance(right, datetime):
        return left - right
    if isinstance(left, datetime) and isinstance(right, timedelta):
        return moved(left, -right)
    if isinstance(left, timedelta) and isinstance(right, timedelta):
        return _sum_of_durations(left, -right)
    raise _cannot("subtracted", left, right)


def multiply(left: Any, right: Any, budget: Budget) -> Any:
    """Multiply numbers."""
    if _both_numbers(left, right):
        return _calculate(lambda a, b: a * b, left, right)
    raise _cannot("multiplied", left, right)


def divide(left: Any, right: Any, budget: Budget) -> Any:
    """Divide numbers: whole when it comes out whole from whole numbers, decimal otherwise."""
    if not _both_numbers(left, right):
        raise _cannot("divided", left, right)
    if right == 0:
        raise ExpressionError("Division by zero")
    if isinstance(left, int) and isinstance(right, int) and left % right == 0:
        return checked(left // right)
    return _calculate(lambda a, b: a / b, left, right)


def remainder(left: Any, right: Any, budget: Budget) -> Any:
    """Return what is left over from dividing whole numbers; it has the sign of the left one."""
    if kind_of(left) is not Kind.INT or kind_of(right) is not Kind.INT:
        raise ExpressionError("% works on whole numbers")
    if right == 0:
        raise ExpressionError("Division by zero")
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def is_in(left: Any, right: Any, budget: Budget) -> bool:
    """Return whether a list holds a value, or an object a key."""
    kind = kind_of(right)
    if kind is Kind.MAP:
        return isinstance(left, str) and left in right
    if kind is Kind.LIST:
        budget.spend(1 + len(right))
        return any(equal(left, item, budget) for item in right)
    hint = '; for text write name.contains("…")' if kind is Kind.STRING else ""
    raise ExpressionError(f"`in` needs a list or an object, not {in_words(right)}{hint}")


def negate(value: Any) -> Any:
    """Return the number with the other sign."""
    if kind_of(value) in NUMBERS:
        return checked(-value)
    raise ExpressionError(f"`-` needs a number, not {in_words(value)}")


def _less(left: Any, right: Any, budget: Budget) -> bool:
    if type(left) is type(right) and type(left) in _PLAIN:
        return bool(left < right)
    one, other = comparable(left, right)
    return bool(one < other)


def _at_most(left: Any, right: Any, budget: Budget) -> bool:
    one, other = comparable(left, right)
    return bool(one <= other)


def _equal(left: Any, right: Any, budget: Budget) -> bool:
    if type(left) is type(right) and type(left) in _PLAIN:
        return bool(left == right)
    if isinstance(left, datetime) != isinstance(right, datetime) and (
        isinstance(left, str) or isinstance(right, str)
    ):
        left, right = comparable(left, right)
    return equal(left, right, budget)


OPERATORS: dict[str, Operator] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remainder,
    "in": is_in,
    "==": _equal,
    "!=": lambda left, right, budget: not _equal(left, right, budget),
    "<": _less,
    "<=": _at_most,
    ">": lambda left, right, budget: _less(right, left, budget),
    ">=": lambda left, right, budget: _at_most(right, left, budget),
}
