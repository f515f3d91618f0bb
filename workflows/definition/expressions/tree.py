"""The syntax tree of expressions: small frozen nodes that know where they stand in the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Position(NamedTuple):
    """Line and column, both from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, text, true, false or null."""

    at: Position
    value: int | float | str | bool | None


@dataclass(frozen=True, slots=True)
class Name:
    """A root or a macro's variable."""

    at: Position
    name: str


@dataclass(frozen=True, slots=True)
class Field:
    """``target.name``; ``at`` is where the name stands."""

    at: Position
    target: Node
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """``target[key]``."""

    at: Position
    target: Node
    key: Node


@dataclass(frozen=True, slots=True)
class Call:
    """``name(args)``, or ``target.name(args)`` when there is a target."""

    at: Position
    name: str
    target: Node | None
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Macro:
    """``target.name(variable, body)``; map with a filter has the filter too."""

    at: Position
    name: str
    target: Node
    variable: str
    body: Node
    where: Node | None = None


@dataclass(frozen=True, slots=True)
class Has:
    """``has(path)``: whether a field or an element is there."""

    at: Position
    path: Field | Index


@dataclass(frozen=True, slots=True)
class Unary:
    """``!x`` or ``-x``."""

    at: Position
    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    """``left operator right``; ``at`` is where the operator stands."""

    at: Position
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Choice:
    """``test ? yes : no``."""

    at: Position
    test: Node
    yes: Node
    no: Node


@dataclass(frozen=True, slots=True)
class ListOf:
    """``[a, b]``."""

    at: Position
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapOf:
    """``{"key": value}``."""

    at: Position
    entries: tuple[tuple[Node, Node], ...]


Node = (
    Literal | Name | Field | Index | Call | Macro | Has | Unary | Binary | Choice | ListOf | MapOf
)


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly below, in the order of the text."""
    match node:
        case Literal() | Name():
            return ()
        case Field(target=target):
            return (target,)
        case Index(target=target, key=key):
            return (target, key)
        case Call(target=target, args=args):
            return args if target is None else (target, *args)
        case Has(path=path):
            return (path,)
        case Unary(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case _:
            return _children_of_wide(node)


def _children_of_wide(node: Macro | Choice | ListOf | MapOf) -> tuple[Node, ...]:
    match node:
        case Macro(target=target, where=where, body=body):
            return (target, body) if where is None else (target, where, body)
        case Choice(test=test, yes=yes, no=no):
            return (test, yes, no)
        case ListOf(items=items):
            return items
        case MapOf(entries=entries):
            return tuple(part for entry in entries for part in entry)


def walk(node: Node) -> Iterator[tuple[Node, int]]:
    """Yield every node with its depth (the root has 1), without recursion."""
    stack = [(node, 1)]
    while stack:
        current, depth = stack.pop()
        yield current, depth
        stack.extend((child, depth + 1) for child in children(current))


def static_path(node: Node) -> tuple[str, ...] | None:
    """Return the names of a path such as ``steps.find["output"].id``, or None for anything else."""
    names: list[str] = []
    while True:
        match node:
            case Name(name=name):
                names.append(name)
                return tuple(reversed(names))
            case Field(target=target, name=name):
                names.append(name)
                node = target
            case Index(target=target, key=Literal(value=str(name))):
                names.append(name)
                node = target
            case _:
                return None


def written(node: Node) -> str:
    """Return a path as one would write it, for messages; other nodes as "this value"."""
    match node:
        case Name(name=name):
            return name
        case Field(target=target, name=name):
            return f"{written(target)}.{name}"
        case Index(target=target, key=Literal(value=value)):
            shown = f'"{value}"' if isinstance(value, str) else str(value)
            return f"{written(target)}[{shown}]"
        case Index(target=target):
            return f"{written(target)}[…]"
        case Call(name=name, target=None):
            return f"{name}(…)"
        case Call(name=name, target=Name() | Field() | Index() as target):
            return f"{written(target)}.{name}(…)"
        case _:
            return "this value"
