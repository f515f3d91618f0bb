"""Structured conditions: groups of comparisons that the builder edits, compiled to verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from workflows.definition.expressions.access import Scope
from workflows.definition.expressions.changes import (
    CHANGE_OPERATORS,
    field_path,
    has_changed,
    old_and_new,
    went_from_to,
)
from workflows.definition.expressions.comparisons import COMPARISONS
from workflows.definition.expressions.compile import compile_expression
from workflows.definition.expressions.errors import (
    ExpressionError,
    ExpressionLimitError,
    ExpressionSyntaxError,
    MissingValueError,
)
from workflows.definition.expressions.holes import check_depth
from workflows.definition.expressions.limits import Budget
from workflows.definition.expressions.sentences import (
    WITHOUT_RIGHT,
    WORDS,
    comparison,
    label,
    right_words,
    shown,
)
from workflows.definition.expressions.text import Run, compile_value

MAX_COMPARISONS = 200  # in one condition, groups included
SHOWN_REASONS = 3
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of a condition.

    ``reason`` is the comparison that decided, with its values; ``notes`` name the missing values
    that were counted as empty.
    """

    value: bool
    reason: str
    notes: tuple[str, ...] = ()


Judge = Callable[[Scope], Verdict]


def compile_condition(group: Mapping[str, Any]) -> Judge:
    """Return a function from scope to verdict.

    ``group`` is ``{"all": [...]}`` or ``{"any": [...]}`` of comparisons ``{"left", "op", "right"}``
    and groups, ``{"cel": "..."}``, or ``{}``, which always holds. Raises ExpressionSyntaxError and
    ExpressionLimitError; the function raises ExpressionError.
    """
    if _count(group, 0) > MAX_COMPARISONS:
        raise ExpressionLimitError(f"The condition has more than {MAX_COMPARISONS} comparisons")
    return _group(group)


def _count(clause: Any, depth: int) -> int:
    check_depth(depth * 4)
    if not isinstance(clause, Mapping):
        return 1
    inner = clause.get("all", clause.get("any", ()))
    return sum(_count(part, depth + 1) for part in inner) if isinstance(inner, list) else 1


def _group(group: Any) -> Judge:
    if not isinstance(group, Mapping):
        raise ExpressionSyntaxError('A condition is an object: {"all": […]} or {"any": […]}')
    if "op" in group:
        return _row(group)
    if not group:
        return lambda scope: Verdict(True, "there is no condition")
    if "cel" in group:
        return _cel(group["cel"])
    return _many(group)


def _cel(source: Any) -> Judge:
    if not isinstance(source, str):
        raise ExpressionSyntaxError("The expression of a condition is text")
    run = compile_expression(source)

    def judge(scope: Scope) -> Verdict:
        value = run(scope)
        if not isinstance(value, bool):
            raise ExpressionError("A condition gives true or false, not a value", source=source)
        return Verdict(value, f"{source} is {'true' if value else 'false'}")

    return judge


def _many(group: Mapping[str, Any]) -> Judge:
    word = "all" if "all" in group else "any"
    clauses = group.get(word)
    if not isinstance(clauses, list) or len(group) != 1:
        raise ExpressionSyntaxError('A condition has one list of comparisons: "all" or "any"')
    judges = [_group(clause) for clause in clauses]
    return _all_of(judges) if word == "all" else _any_of(judges)


def _all_of(judges: list[Judge]) -> Judge:
    def judge(scope: Scope) -> Verdict:
        verdicts: list[Verdict] = []
        for one in judges:
            verdicts.append(one(scope))
            if not verdicts[-1].value:
                return Verdict(False, verdicts[-1].reason, _notes(verdicts))
        return Verdict(True, _reasons(verdicts), _notes(verdicts))

    return judge


def _any_of(judges: list[Judge]) -> Judge:
    def judge(scope: Scope) -> Verdict:
        verdicts: list[Verdict] = []
        for one in judges:
            verdicts.append(one(scope))
            if verdicts[-1].value:
                return Verdict(True, verdicts[-1].reason, _notes(verdicts))
        return Verdict(False, _reasons(verdicts), _notes(verdicts))

    return judge


def _notes(verdicts: list[Verdict]) -> tuple[str, ...]:
    return tuple(note for verdict in verdicts for note in verdict.notes)


def _reasons(verdicts: list[Verdict]) -> str:
    shown_ones = [verdict.reason for verdict in verdicts[:SHOWN_REASONS]]
    more = len(verdicts) - len(shown_ones)
    return (
        " and ".join(shown_ones) + (f" and {more} more" if more > 0 else "") or "the list is empty"
    )


def _row(row: Mapping[str, Any]) -> Judge:
    operator = row["op"]
    if not isinstance(operator, str) or operator not in WORDS:
        raise ExpressionSyntaxError(f"There is no comparison “{operator!s:.40}”")
    if "left" not in row or ("right" not in row and operator not in WITHOUT_RIGHT):
        raise ExpressionSyntaxError(f"The comparison “{operator}” needs a left and a right side")
    if operator in CHANGE_OPERATORS:
        return _change(row)
    return _comparison(row)


def _comparison(row: Mapping[str, Any]) -> Judge:
    operator, compare = row["op"], COMPARISONS[row["op"]]
    left, left_label = compile_value(row["left"]), label(row["left"])
    right, right_label = compile_value(row.get("right")), right_words(operator, row.get("right"))

    def judge(scope: Scope) -> Verdict:
        notes: list[str] = []
        one = _side(left, left_label, scope, notes)
        other = _side(right, right_label, scope, notes)
        holds = compare(one, other, scope.get("now") or _LONG_AGO, Budget())
        named = _with_value(left_label, one)
        than = _with_value(right_label, other) if right_label else ""
        reason = comparison(operator, named, than, holds=holds)
        return Verdict(holds, reason, tuple(notes))

    return judge


def _side(run: Run, named: str, scope: Scope, notes: list[str]) -> Any:
    try:
        return run(scope)
    except MissingValueError:
        notes.append(f"{named} is missing and was counted as empty")
        return None


def _with_value(named: str, value: Any) -> str:
    said = shown(value)
    return said if said == named else f"{named} ({said})"


def _change(row: Mapping[str, Any]) -> Judge:
    path, named, operator = field_path(row["left"]), label(row["left"]), row["op"]
    wanted, ends = compile_value(row.get("right")), right_words(operator, row.get("right"))

    def judge(scope: Scope) -> Verdict:
        budget = Budget()
        old, new = old_and_new(path, scope)
        if operator == "changed":
            holds = has_changed(path, scope, budget)
        else:
            holds = went_from_to(old, new, wanted(scope), budget)
        said = f"{named} ({shown(old)} → {shown(new)})"
        return Verdict(holds, comparison(operator, said, ends, holds=holds))

    return judge
