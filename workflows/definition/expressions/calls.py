"""Calls of functions and methods: found by name when compiled, kinds checked when run."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from workflows.definition.expressions.errors import (
    ExpressionError,
    ExpressionSyntaxError,
    MissingValueError,
)
from workflows.definition.expressions.frame import Frame, Run
from workflows.definition.expressions.functions.form import ANY, Function, Kinds, words
from workflows.definition.expressions.functions.table import (
    FUNCTIONS,
    MACRO_METHODS,
    METHODS,
    SPECIAL_FUNCTIONS,
)
from workflows.definition.expressions.tree import Call
from workflows.definition.expressions.values import in_words, kind_of, types_of


def compile_call(call: Call, target: Run | None, args: tuple[Run, ...]) -> Run:
    """Return the closure of a call. Raises ExpressionSyntaxError when there is no such function."""
    problem = problem_of(call)
    if problem:
        line, column = call.at
        raise ExpressionSyntaxError(problem, line=line, column=column)
    if call.name == "default" and target is None:
        return _default(*args)
    function = function_of(call)
    if function is None:
        raise ExpressionSyntaxError(f"There is no function `{call.name}`")
    return _checked(function, args if target is None else (target, *args))


def function_of(call: Call) -> Function | None:
    """Return what a call calls, or None."""
    return (FUNCTIONS if call.target is None else METHODS).get(call.name)


def problem_of(call: Call) -> str:
    """Return what is wrong with a call's name or number of arguments, or an empty text."""
    if call.target is None and call.name == "default":
        return "" if len(call.args) == 2 else "`default` takes two values: default(event.name, …)"
    function = function_of(call)
    if function is None:
        return _unknown(call)
    most, given = len(function.args), len(call.args)
    least = most - function.optional
    if least <= given <= most:
        return ""
    takes = str(most) if least == most else f"{least} to {most}"
    noun = "argument" if takes == "1" else "arguments"
    return f"`{call.name}` takes {takes} {noun}, not {given}: {function.signature}"


def _unknown(call: Call) -> str:
    name, is_method = call.name, call.target is not None
    if is_method and name in MACRO_METHODS:
        return f"`{name}` is written with a name first: list.{name}(x, …)"
    if name in (FUNCTIONS if is_method else METHODS):
        written = f"{name}(value)" if is_method else f"value.{name}()"
        return f"`{name}` is written as `{written}`"
    known = [*METHODS, *MACRO_METHODS] if is_method else [*FUNCTIONS, *SPECIAL_FUNCTIONS]
    near = get_close_matches(name[:100], known, n=1)
    meant = f"; did you mean `{near[0]}`?" if near else ""
    return f"There is no {'method' if is_method else 'function'} `{name[:100]}`{meant}"


def _default(value: Run, otherwise: Run) -> Run:
    def result(frame: Frame) -> Any:
        try:
            found = value(frame)
        except MissingValueError:
            return otherwise(frame)
        return otherwise(frame) if found is None else found

    return result


def _checked(function: Function, args: tuple[Run, ...]) -> Run:
    kinds = function.args if function.on is None else (function.on, *function.args)
    run, name = function.run, function.name
    checks = tuple(
        (at, allowed, types_of(allowed))
        for at, allowed in enumerate(kinds[: len(args)])
        if allowed != ANY
    )

    def result(frame: Frame) -> Any:
        frame.steps -= 1
        values = [arg(frame) for arg in args]
        for at, allowed, types in checks:
            if type(values[at]) not in types and kind_of(values[at]) not in allowed:
                raise _wrong_kind(name, allowed, values[at])
        try:
            return run(frame, *values)
        except (ArithmeticError, ValueError) as error:
            raise ExpressionError(f"`{name}` does not work here: {error!s:.200}") from None

    return result


def _wrong_kind(name: str, allowed: Kinds, value: Any) -> ExpressionError:
    hint = "; guard it with default(…, …)" if value is None else ""
    if isinstance(value, Mapping | list):
        hint = "; name one of its fields or items"
    return ExpressionError(f"`{name}` needs {words(allowed)}, not {in_words(value)}{hint}")
