"""From syntax tree to closures: ``compile_expression(source)(scope)`` is the value.

A plain path becomes a mere look-up. Everything else runs in a ``Frame`` that carries the budget of
the evaluation, so that no expression can take long or build much. Nothing is ever turned into
Python source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from workflows.definition.expressions.access import (
    Read,
    Scope,
    element_of,
    field_of,
    path_reader,
    places_of,
)
from workflows.definition.expressions.calls import compile_call
from workflows.definition.expressions.errors import ExpressionError, MissingValueError
from workflows.definition.expressions.frame import Frame, Run
from workflows.definition.expressions.logic import all_of, any_of, choice, negation
from workflows.definition.expressions.macros import compile_macro
from workflows.definition.expressions.operators import OPERATORS, Operator, negate
from workflows.definition.expressions.parse import parse
from workflows.definition.expressions.tree import (
    Binary,
    Call,
    Choice,
    Field,
    Has,
    Index,
    ListOf,
    Literal,
    Macro,
    MapOf,
    Name,
    Node,
    Position,
    Unary,
    static_path,
    walk,
)
from workflows.definition.expressions.values import check_size, in_words

Slots = Mapping[str, int]  # the macros' variables in sight, and where the frame keeps them


@lru_cache(maxsize=4096)
def compile_expression(source: str) -> Callable[[Scope], Any]:
    """Return a function from scope (roots event, steps, vars …) to value.

    Raises ExpressionSyntaxError or ExpressionLimitError. The function raises ExpressionError,
    which names expression and place; MissingValueError when something named is not there;
    ExpressionLimitError beyond the budget.
    """
    tree = parse(source)
    try:
        names = static_path(tree)
        if names is not None:
            return path_reader(names, places_of(tree), source)
        return _in_frame(source, tree)
    except ExpressionError as error:
        error.within(source)
        raise


def _in_frame(source: str, tree: Node) -> Read:
    run = Compiler().node(tree, {})
    slots = sum(isinstance(node, Macro) for node, _ in walk(tree))

    def value(scope: Scope) -> Any:
        frame = Frame(scope, slots)
        try:
            result = run(frame)
            if isinstance(result, list | dict):
                check_size(result, frame)
        except ExpressionError as error:
            error.within(source)
            raise
        return result

    return value


def placed(run: Run, at: Position) -> Run:
    """Return ``run`` with the place added to its errors."""
    line, column = at

    def value(frame: Frame) -> Any:
        try:
            return run(frame)
        except ExpressionError as error:
            error.place(line, column)
            raise

    return value


def _operation(operate: Operator, left: Run, right: Run, at: Position) -> Run:
    """Return the closure of an operator; `placed` is spelt out here to save a call."""
    line, column = at

    def value(frame: Frame) -> Any:
        try:
            return operate(left(frame), right(frame), frame)
        except ExpressionError as error:
            error.place(line, column)
            raise

    return value


class Compiler:
    """One pass over a tree; each macro's variable gets a slot of its own."""

    def __init__(self) -> None:
        self._next_slot = 0

    def node(self, node: Node, slots: Slots) -> Run:
        """Return the closure of a node. Raises ExpressionSyntaxError for unknown functions."""
        match node:
            case Literal(value=value):
                return lambda frame: value
            case Name() | Field() | Index():
                return self._path(node, slots)
            case Unary() | Binary() | Choice():
                return self._operator(node, slots)
            case Call():
                return self._call(node, slots)
            case _:
                return self._form(node, slots)

    def _form(self, node: Macro | Has | ListOf | MapOf, slots: Slots) -> Run:
        match node:
            case Macro():
                return self._macro(node, slots)
            case Has(path=path):
                return self._has(path, slots)
            case ListOf(items=items):
                return self._list(tuple(self.node(item, slots) for item in items))
            case MapOf(entries=entries):
                pairs = [(self.node(a, slots), self.node(b, slots)) for a, b in entries]
                return placed(self._map(pairs), node.at)

    def _path(self, node: Name | Field | Index, slots: Slots) -> Run:
        names = static_path(node)
        if names is not None and names[0] not in slots:
            read = path_reader(names, places_of(node))
            return lambda frame: read(frame.scope)
        if isinstance(node, Name):
            slot = slots[node.name]
            return lambda frame: frame.local[slot]
        target = self.node(node.target, slots)
        if isinstance(node, Field):
            name = node.name
            return placed(lambda frame: field_of(target(frame), name), node.at)
        key = self.node(node.key, slots)
        return placed(lambda frame: element_of(target(frame), key(frame)), node.at)

    def _has(self, path: Field | Index, slots: Slots) -> Run:
        read = self.node(path, slots)

        def value(frame: Frame) -> bool:
            try:
                read(frame)
            except MissingValueError:
                return False
            return True

        return value

    def _operator(self, node: Unary | Binary | Choice, slots: Slots) -> Run:
        match node:
            case Unary(operator="!", operand=operand):
                return placed(negation(self.node(operand, slots)), node.at)
            case Unary(operand=operand):
                number = self.node(operand, slots)
                return placed(lambda frame: negate(number(frame)), node.at)
            case Choice(test=test, yes=yes, no=no):
                parts = (self.node(part, slots) for part in (test, yes, no))
                return placed(choice(*parts), node.at)
            case Binary():
                return self._binary(node, slots)

    def _binary(self, node: Binary, slots: Slots) -> Run:
        left, right = self.node(node.left, slots), self.node(node.right, slots)
        if node.operator == "&&":
            return placed(all_of(left, right), node.at)
        if node.operator == "||":
            return placed(any_of(left, right), node.at)
        return _operation(OPERATORS[node.operator], left, right, node.at)

    def _call(self, node: Call, slots: Slots) -> Run:
        target = None if node.target is None else self.node(node.target, slots)
        return placed(
            compile_call(node, target, tuple(self.node(arg, slots) for arg in node.args)), node.at
        )

    def _macro(self, node: Macro, slots: Slots) -> Run:
        slot, self._next_slot = self._next_slot, self._next_slot + 1
        inner = {**slots, node.variable: slot}
        where = None if node.where is None else self.node(node.where, inner)
        target, body = self.node(node.target, slots), self.node(node.body, inner)
        cost = 1 + sum(1 for _ in walk(node.body))
        cost += sum(1 for _ in walk(node.where)) if node.where else 0
        return placed(
            compile_macro(node.name, target, body, where=where, slot=slot, cost=cost), node.at
        )

    def _list(self, items: tuple[Run, ...]) -> Run:
        def value(frame: Frame) -> list[Any]:
            frame.build(len(items))
            return [item(frame) for item in items]

        return value

    def _map(self, pairs: list[tuple[Run, Run]]) -> Run:
        def value(frame: Frame) -> dict[str, Any]:
            frame.build(len(pairs))
            result: dict[str, Any] = {}
            for key, item in pairs:
                name = key(frame)
                if not isinstance(name, str):
                    raise ExpressionError(f"The keys of an object are text, not {in_words(name)}")
                if name in result:
                    raise ExpressionError(f'The key "{name[:40]}" stands twice in the object')
                result[name] = item(frame)
            return result

        return value
