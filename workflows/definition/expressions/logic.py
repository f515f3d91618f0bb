"""And, or, not and choice. As in CEL, a side that decides absorbs an error of the other side."""

from __future__ import annotations

from typing import Any

from workflows.definition.expressions.errors import ExpressionError, ExpressionLimitError
from workflows.definition.expressions.frame import Frame, Run
from workflows.definition.expressions.values import in_words


def all_of(left: Run, right: Run) -> Run:
    """Return ``left && right``."""
    return _decided_by(left, right, deciding=False, operator="&&")


def any_of(left: Run, right: Run) -> Run:
    """Return ``left || right``."""
    return _decided_by(left, right, deciding=True, operator="||")


def _decided_by(left: Run, right: Run, *, deciding: bool, operator: str) -> Run:
    def value(frame: Frame) -> Any:
        try:
            one = left(frame)
        except ExpressionLimitError:
            raise
        except ExpressionError:
            if right(frame) is deciding:
                return deciding
            raise
        if one is deciding:
            return deciding
        other = right(frame)
        if other is deciding:
            return deciding
        return truth(one, operator) and truth(other, operator)

    return value


def truth(value: Any, operator: str) -> bool:
    """Return the value if it is true or false. Raises ExpressionError."""
    if isinstance(value, bool):
        return value
    raise ExpressionError(f"`{operator}` needs true or false, not {in_words(value)}")


def negation(operand: Run) -> Run:
    """Return ``!operand``."""
    return lambda frame: not truth(operand(frame), "!")


def choice(test: Run, yes: Run, no: Run) -> Run:
    """Return ``test ? yes : no``."""
    return lambda frame: yes(frame) if truth(test(frame), "?") else no(frame)
