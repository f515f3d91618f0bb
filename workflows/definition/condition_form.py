"""Checks the form of conditions: ``{"all": […]}``, ``{"any": […]}`` nested, or ``{"cel": "…"}``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from leadsend.lib.errors import Problem
from workflows.definition import pointer
from workflows.definition.schema import OPERATORS, UNARY_OPERATORS
from workflows.definition.suggestions import nearest

_GROUP_KEYS = ("all", "any", "cel")
_CLAUSE_KEYS = ("left", "op", "right")


def check_condition_form(group: Any, *, path: str, step_id: str | None = None) -> Iterator[Problem]:
    """Yield what is wrong with the form of a condition; ``{}`` is always true and fine."""
    for code, where, message in _group(group, path):
        yield Problem(code=code, message=message, path=where, step_id=step_id)


Finding = tuple[str, str, str]


def _group(group: Any, path: str) -> Iterator[Finding]:
    if not isinstance(group, Mapping):
        yield (
            "form",
            path,
            'A condition is an object: {"all": […]}, {"any": […]} or {"cel": "…"}.',
        )
        return
    yield from _unknown_keys(group, _GROUP_KEYS, path)
    present = [key for key in _GROUP_KEYS if key in group]
    if len(present) > 1:
        yield (
            "form",
            path,
            f"A condition has one of {' and '.join(present)}, not both: nest them.",
        )
    elif "cel" in group:
        yield from _cel(group["cel"], pointer.join(path, "cel"))
    elif present:
        yield from _clauses(group[present[0]], pointer.join(path, present[0]))


def _cel(source: Any, path: str) -> Iterator[Finding]:
    if not isinstance(source, str) or not source.strip():
        yield ("form", path, "Write an expression as text, for example event.score > 50.")


def _clauses(clauses: Any, path: str) -> Iterator[Finding]:
    if not isinstance(clauses, list):
        yield ("form", path, "The comparisons of a condition are a list: write […].")
        return
    for at, clause in enumerate(clauses):
        where = pointer.join(path, at)
        if isinstance(clause, Mapping) and not any(key in clause for key in _CLAUSE_KEYS):
            yield from _group(clause, where)
        else:
            yield from _comparison(clause, where)


def _comparison(clause: Any, path: str) -> Iterator[Finding]:
    if not isinstance(clause, Mapping):
        yield ("form", path, 'A comparison is an object: {"left": …, "op": "eq", "right": …}.')
        return
    yield from _unknown_keys(clause, _CLAUSE_KEYS, path)
    if "left" not in clause:
        yield ("missing", pointer.join(path, "left"), "Say what is compared: fill in “left”.")
    yield from _operator(clause, path)


def _operator(clause: Mapping[str, Any], path: str) -> Iterator[Finding]:
    operator = clause.get("op")
    where = pointer.join(path, "op")
    if "op" not in clause:
        yield ("missing", where, "Say how it is compared: fill in “op”, for example eq or gt.")
    elif not isinstance(operator, str) or operator not in OPERATORS:
        near = nearest(operator, OPERATORS) if isinstance(operator, str) else ""
        yield ("unknown_operator", where, f"There is no comparison {operator!r}.{near}")
    elif operator not in UNARY_OPERATORS and "right" not in clause:
        where = pointer.join(path, "right")
        yield ("missing", where, f"“{operator}” needs something to compare with: fill in “right”.")


def _unknown_keys(item: Mapping[str, Any], known: tuple[str, ...], path: str) -> Iterator[Finding]:
    for key in item:
        if key not in known:
            hint = nearest(key, known) or f" Known here: {', '.join(known)}."
            where = pointer.join(path, key)
            yield ("unknown_key", where, f"There is no “{key}” in a condition.{hint}")
