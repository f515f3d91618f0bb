"""The tree is built while the parser runs: one method per rule of the grammar."""

from __future__ import annotations

from typing import Any

from lark import Token, Transformer

from workflows.definition.expressions.errors import ExpressionSyntaxError
from workflows.definition.expressions.literals import float_of, int_of, text_of
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
)

MACROS = {"all": (2,), "exists": (2,), "exists_one": (2,), "map": (2, 3), "filter": (2,)}
WORDS = {"true": True, "false": False, "null": None}


def _at(token: Token) -> Position:
    return Position(token.line or 0, token.column or 0)


def _refuse(token: Token, detail: str) -> ExpressionSyntaxError:
    line, column = _at(token)
    return ExpressionSyntaxError(detail, line=line, column=column)


class TreeBuilder(Transformer[Token, Any]):
    """Called by the parser with the children of each rule, punctuation included."""

    def _pass(self, parts: list[Any]) -> Any:
        return parts[0]

    member = primary = unary_not = unary_neg = _pass

    def expr(self, parts: list[Any]) -> Node:
        if len(parts) == 1:
            return parts[0]  # type: ignore[no-any-return]
        test, mark, yes, _, no = parts
        return Choice(_at(mark), test, yes, no)

    def _chain(self, parts: list[Any]) -> Node:
        if len(parts) == 1:
            return parts[0]  # type: ignore[no-any-return]
        left, token, right = parts
        return Binary(_at(token), str(token), left, right)

    conditionalor = conditionaland = _chain

    def _binary(self, parts: list[Any]) -> Node:
        if len(parts) == 1:
            return parts[0]  # type: ignore[no-any-return]
        (left, token), right = parts
        return Binary(_at(token), str(token), left, right)

    relation = addition = multiplication = _binary

    def _left_and_operator(self, parts: list[Any]) -> tuple[Node, Token]:
        return parts[0], parts[1]

    relation_lt = relation_le = relation_gt = relation_ge = _left_and_operator
    relation_eq = relation_ne = relation_in = _left_and_operator
    addition_add = addition_sub = _left_and_operator
    multiplication_mul = multiplication_div = multiplication_mod = _left_and_operator

    def unary(self, parts: list[Any]) -> Node:
        if len(parts) == 1:
            return parts[0]  # type: ignore[no-any-return]
        token, operand = parts
        if str(token) == "-" and isinstance(operand, Literal):
            value = operand.value
            if isinstance(value, int | float) and not isinstance(value, bool):
                return Literal(_at(token), -value)
        return Unary(_at(token), str(token), operand)

    def member_dot(self, parts: list[Any]) -> Node:
        target, _, name = parts
        return Field(_at(name), target, str(name))

    def member_dot_arg(self, parts: list[Any]) -> Node:
        target, _, name = parts[:3]
        args: list[Node] = parts[4] if len(parts) == 6 else []
        if str(name) in MACROS and len(args) in MACROS[str(name)]:
            return self._macro(name, target, args)
        return Call(_at(name), str(name), target, tuple(args))

    def _macro(self, name: Token, target: Node, args: list[Node]) -> Node:
        variable = args[0]
        if not isinstance(variable, Name):
            raise _refuse(name, f"`{name}` needs a plain name first, as in `.{name}(x, …)`")
        where = args[1] if len(args) == 3 else None
        return Macro(_at(name), str(name), target, variable.name, args[-1], where)

    def member_index(self, parts: list[Any]) -> Node:
        target, bracket, key, _ = parts
        return Index(_at(bracket), target, key)

    def member_object(self, parts: list[Any]) -> Node:
        raise _refuse(parts[1], "A map is written without a name in front: `{…}`")

    def dot_ident(self, parts: list[Any]) -> Node:
        raise _refuse(parts[0], "A name cannot begin with a dot")

    dot_ident_arg = dot_ident

    def ident_arg(self, parts: list[Any]) -> Node:
        name = parts[0]
        args = tuple(parts[2]) if len(parts) == 4 else ()
        if str(name) != "has":
            return Call(_at(name), str(name), None, args)
        if len(args) != 1 or not isinstance(args[0], Field | Index):
            raise _refuse(name, "`has` needs one field, as in `has(event.email)`")
        return Has(_at(name), args[0])

    def ident(self, parts: list[Any]) -> Node:
        return Name(_at(parts[0]), str(parts[0]))

    def paren_expr(self, parts: list[Any]) -> Node:
        return parts[1]  # type: ignore[no-any-return]

    def list_lit(self, parts: list[Any]) -> Node:
        return ListOf(_at(parts[0]), tuple(parts[1]) if len(parts) == 3 else ())

    def map_lit(self, parts: list[Any]) -> Node:
        flat = parts[1] if len(parts) == 3 else []
        return MapOf(_at(parts[0]), tuple(zip(flat[::2], flat[1::2], strict=True)))

    def _without_punctuation(self, parts: list[Any]) -> list[Node]:
        return [part for part in parts if not isinstance(part, Token)]

    exprlist = mapinits = _without_punctuation

    def fieldinits(self, parts: list[Any]) -> None:
        return None

    def literal(self, parts: list[Any]) -> Node:
        token: Token = parts[0]
        try:
            return Literal(_at(token), _value_of(token))
        except ValueError as error:
            raise _refuse(token, str(error)) from None


def _value_of(token: Token) -> int | float | str | bool | None:
    if token.type in {"STRING_LIT", "MLSTRING_LIT"}:
        return text_of(str(token))
    if token.type == "INT_LIT":
        return int_of(str(token))
    if token.type == "FLOAT_LIT":
        return float_of(str(token))
    if token.type == "UINT_LIT":
        return int_of(str(token)[:-1])
    if token.type == "BYTES_LIT":
        raise ValueError("There are no bytes here, only text")
    return WORDS[str(token)]
