"""Conditions in words: ``event.score is greater than 50 and event.email is not empty``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows.definition.expressions.errors import ExpressionError
from workflows.definition.expressions.holes import Hole, parts_of
from workflows.definition.expressions.limits import Budget
from workflows.definition.expressions.rendering import to_text
from workflows.definition.expressions.values import in_words

# For each operator the words when it holds and when it does not.
WORDS: dict[str, tuple[str, str]] = {
    "eq": ("is", "is not"),
    "ne": ("is not", "is"),
    "gt": ("is greater than", "is not greater than"),
    "ge": ("is at least", "is not at least"),
    "lt": ("is less than", "is not less than"),
    "le": ("is at most", "is not at most"),
    "contains": ("contains", "does not contain"),
    "not_contains": ("does not contain", "contains"),
    "starts_with": ("starts with", "does not start with"),
    "ends_with": ("ends with", "does not end with"),
    "in": ("is one of", "is none of"),
    "not_in": ("is none of", "is one of"),
    "is_empty": ("is empty", "is not empty"),
    "is_not_empty": ("is not empty", "is empty"),
    "exists": ("exists", "does not exist"),
    "is_true": ("is true", "is not true"),
    "is_false": ("is false", "is not false"),
    "matches": ("matches", "does not match"),
    "changed": ("changed", "did not change"),
    "changed_from_to": ("changed", "did not change"),
    "within_last": ("is within the last", "is not within the last"),
    "before": ("is before", "is not before"),
    "after": ("is after", "is not after"),
}
WITHOUT_RIGHT = frozenset({"is_empty", "is_not_empty", "exists", "is_true", "is_false", "changed"})
MAX_SHOWN = 10**18  # whole numbers below are written without asking
SHOWN = 60  # characters of a value


def sentence(group: Mapping[str, Any]) -> str:
    """Return a condition in words; an empty one is "always". Drafts that are not sound yet pass."""
    if not group:
        return "always"
    if "cel" in group:
        return str(group["cel"])
    word = "all" if "all" in group else "any"
    clauses = group.get(word)
    listed = clauses if isinstance(clauses, list) else []
    parts = [_part(clause) for clause in listed if isinstance(clause, Mapping)]
    if not parts:
        return "always" if word == "all" else "never"
    return (" and " if word == "all" else " or ").join(parts)


def _part(clause: Mapping[str, Any]) -> str:
    if "op" not in clause:
        inner = sentence(clause)
        return f"({inner})" if " and " in inner or " or " in inner else inner
    operator = str(clause["op"])
    right = right_words(operator, clause.get("right"))
    return comparison(operator, label(clause.get("left")), right)


def comparison(operator: str, left: str, right: str, *, holds: bool = True) -> str:
    """Return one comparison in words; with ``holds=False`` the words of its contrary.

    Both sides are in words already: what came from data must not be read as a text with holes.
    """
    words = WORDS.get(operator, (operator, f"not {operator}"))[0 if holds else 1]
    return f"{left} {words} {right}" if right else f"{left} {words}"


def right_words(operator: str, right: Any) -> str:
    """Return the right side of a row in words, empty for operators without one."""
    if operator in WITHOUT_RIGHT:
        return ""
    if operator == "changed_from_to" and isinstance(right, Mapping):
        return " ".join(f"{word} {label(right[word])}" for word in ("from", "to") if word in right)
    return label(right)


def label(side: Any) -> str:
    """Return how one side is named: the expression of a lone hole, else the value."""
    if isinstance(side, str):
        parts = _parts(side)
        if len(parts) == 1 and isinstance(parts[0], Hole):
            return parts[0].source
    if isinstance(side, Mapping) and "unit" in side:
        return f"{shown(side.get('value'))} {side['unit']}"
    return shown(side)


def _parts(text: str) -> tuple[str | Hole, ...]:
    try:
        return parts_of(text)
    except ExpressionError:
        return (text,)


def shown(value: Any) -> str:
    """Return a value for a sentence, cut to 60 characters."""
    text = _shown(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _shown(value: Any) -> str:
    if type(value) is str:
        return value or "“”"
    if type(value) is int and abs(value) < MAX_SHOWN:
        return str(value)
    try:
        return "nothing" if value is None else to_text(value, Budget())
    except ExpressionError:
        return f"{in_words(value)} too large to show"
