"""Problems of expressions, texts, values and conditions, found before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from leadsend.lib.errors import Problem, Severity
from workflows.definition.expressions.changes import CHANGE_OPERATORS, field_path
from workflows.definition.expressions.checker import Checker
from workflows.definition.expressions.errors import ExpressionError
from workflows.definition.expressions.holes import Hole, check_depth, parts_of
from workflows.definition.expressions.parse import parse
from workflows.definition.expressions.types import (
    DYNAMIC,
    Type,
    TypeEnv,
    from_schema,
    items_of,
    member_of,
)
from workflows.definition.expressions.values import Kind

ORDER_OPERATORS = frozenset({"gt", "ge", "lt", "le", "before", "after", "within_last"})
_BOXES = frozenset({Kind.LIST, Kind.MAP})


def check_expression(
    source: str, *, types: TypeEnv, path: str, step_id: str | None = None
) -> list[Problem]:
    """Return the problems of one expression; ``path`` is its JSON pointer in the document.

    Codes: expression_syntax, expression_limit, unknown_root, unknown_step, unknown_field,
    unknown_function, wrong_arguments, wrong_type, incomparable, step_may_not_run, step_runs_later;
    may_be_missing and unknown_choice are warnings. Messages end with the column.
    """
    return _Findings(types, step_id).of_expression(source, path)[1]


def check_value(
    value: Any,
    *,
    types: TypeEnv,
    path: str,
    step_id: str | None = None,
    schema: Any = None,
) -> list[Problem]:
    """Return the problems of all holes in a text, list or object.

    With ``schema``, the JSON Schema of what is expected here, a text that is one hole must also be
    able to give such a value.
    """
    return list(_Findings(types, step_id).of_value(value, path, from_schema(schema), 0))


def check_condition(
    group: Any, *, types: TypeEnv, path: str, step_id: str | None = None
) -> list[Problem]:
    """Return the problems of a structured condition. Its form is checked elsewhere.

    In rows a missing value counts as empty, so optional fields are fine there and a step that may
    not have run is too.
    """
    return list(_Findings(types, step_id).of_condition(group, path, 0))


def type_of(value: Any, *, types: TypeEnv) -> Type:
    """Return what is known of a text's value; nothing for anything but a text."""
    if not isinstance(value, str):
        return DYNAMIC
    return _Findings(types, None).of_text(value, "", DYNAMIC, tolerant=True)[0]


class _Findings:
    def __init__(self, types: TypeEnv, step_id: str | None) -> None:
        self.types = types
        self.step_id = step_id

    def of_expression(
        self, source: str, path: str, *, tolerant: bool = False, column: int = 1, line: int = 1
    ) -> tuple[Type, list[Problem]]:
        try:
            tree = parse(source)
        except ExpressionError as error:
            return DYNAMIC, [self._error(error, path, line, column)]
        checker = Checker(self.types)
        result = checker.check(tree, tolerant=tolerant)
        return result, [
            self._problem(
                finding.code,
                finding.message + _place(*finding.at, line, column),
                path,
                finding.severity,
            )
            for finding in checker.findings
        ]

    def _problem(
        self, code: str, message: str, path: str, severity: Severity = Severity.ERROR
    ) -> Problem:
        return Problem(
            code=code, message=message, path=path, step_id=self.step_id, severity=severity
        )

    def _error(self, error: ExpressionError, path: str, line: int, column: int) -> Problem:
        place = _place(error.line, error.column, line, column) if error.line else ""
        return self._problem(error.code, error.detail + place, path)

    def of_value(
        self, value: Any, path: str, expected: Type, depth: int, *, tolerant: bool = False
    ) -> Iterator[Problem]:
        if isinstance(value, str):
            yield from self.of_text(value, path, expected, tolerant=tolerant)[1]
        elif isinstance(value, Mapping):
            check_depth(depth)
            for key, item in value.items():
                member = member_of(expected, str(key))
                inner = member.type if member else DYNAMIC
                yield from self.of_value(
                    item, _join(path, key), inner, depth + 1, tolerant=tolerant
                )
        elif isinstance(value, list | tuple):
            check_depth(depth)
            for at, item in enumerate(value):
                inner = items_of(expected)
                yield from self.of_value(item, _join(path, at), inner, depth + 1, tolerant=tolerant)

    def of_text(
        self, text: str, path: str, expected: Type, *, tolerant: bool
    ) -> tuple[Type, list[Problem]]:
        try:
            parts = parts_of(text)
        except ExpressionError as error:
            return DYNAMIC, [self._error(error, path, 1, 1)]
        checked = [
            self.of_expression(
                part.source, path, tolerant=tolerant, line=part.line, column=part.column
            )
            for part in parts
            if isinstance(part, Hole)
        ]
        problems = [problem for _, found in checked for problem in found]
        if len(parts) != 1:
            return Type(frozenset({Kind.STRING})), problems
        if not checked:
            return Type(frozenset({Kind.STRING}), choices=(text,)), problems
        return checked[0][0], problems + self._unfit(checked[0][0], expected, path)

    def _unfit(self, given: Type, expected: Type, path: str) -> list[Problem]:
        """Return a problem when a lone hole cannot give what is expected.

        Text may hold a number or a date, and every plain value can be written as text.
        """
        if given.kinds & (expected.kinds | {Kind.STRING}):
            return []
        if Kind.STRING in expected.kinds and not given.kinds <= _BOXES:
            return []
        message = f"This gives {given.words}; {expected.words} is needed here"
        return [self._problem("wrong_type", message, path)]

    def of_condition(self, group: Any, path: str, depth: int) -> Iterator[Problem]:
        if not isinstance(group, Mapping):
            return
        check_depth(depth)
        if isinstance(group.get("cel"), str):
            yield from self._cel(group["cel"], _join(path, "cel"))
        for word in ("all", "any"):
            clauses = group.get(word)
            for at, clause in enumerate(clauses if isinstance(clauses, list) else ()):
                yield from self.of_condition(clause, _join(_join(path, word), at), depth + 1)
        if "op" in group:
            yield from self._row(group, path)

    def _cel(self, source: str, path: str) -> Iterator[Problem]:
        result, problems = self.of_expression(source, path)
        yield from problems
        if Kind.BOOL not in result.kinds:
            message = f"A condition gives true or false; this gives {result.words}"
            yield self._problem("wrong_type", message, path)

    def _row(self, row: Mapping[str, Any], path: str) -> Iterator[Problem]:
        left, left_problems = self._side(row.get("left"), _join(path, "left"))
        right, right_problems = self._side(row.get("right"), _join(path, "right"))
        yield from [*left_problems, *right_problems]
        if row["op"] in CHANGE_OPERATORS:
            yield from self._change(row.get("left"), _join(path, "left"))
        elif row["op"] in ORDER_OPERATORS and left.kinds <= _BOXES:
            message = f"{left.words} has no order; choose one of its fields, or “contains”"
            yield self._problem("wrong_type", message, _join(path, "left"))
        elif row["op"] in {"eq", "ne"} and left.choices and right.choices:
            yield from self._choice(left, right.choices[0], _join(path, "right"))

    def _side(self, value: Any, path: str) -> tuple[Type, list[Problem]]:
        if isinstance(value, str):
            return self.of_text(value, path, DYNAMIC, tolerant=True)
        return DYNAMIC, list(self.of_value(value, path, DYNAMIC, 0, tolerant=True))

    def _change(self, left: Any, path: str) -> Iterator[Problem]:
        try:
            field_path(left)
        except ExpressionError as error:
            if error.line == 0:  # the others are reported with the left side itself
                yield self._problem("wrong_type", error.detail, path)

    def _choice(self, left: Type, right: Any, path: str) -> Iterator[Problem]:
        if right not in left.choices and len(left.choices) > 1:
            known = ", ".join(str(choice) for choice in left.choices[:8])
            message = f"“{right}” is never the value; it is one of {known}"
            yield self._problem("unknown_choice", message, path, Severity.WARNING)


def _place(line: int, column: int, start_line: int, start_column: int) -> str:
    if line <= 1:
        column += start_column - 1
    line += start_line - 1
    return f" (line {line}, column {column})" if line > 1 else f" (column {column})"


def _join(path: str, key: Any) -> str:
    return f"{path}/{str(key).replace('~', '~0').replace('/', '~1')}"
