"""Reading fields and elements: fast when they are there, explained when they are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from workflows.definition.expressions.errors import ExpressionError, MissingValueError
from workflows.definition.expressions.tree import Field, Index, Node, Position
from workflows.definition.expressions.values import in_words

Scope = Mapping[str, Any]
Read = Callable[[Scope], Any]
ROOTS = ("event", "request", "steps", "vars", "item", "index", "run", "now", "workflow")
SHOWN_NAMES = 8
MAX_NAME = 60  # characters of a name that is suggested
MAX_SHOWN = 10**18


def path_reader(names: Sequence[str], places: Sequence[Position], source: str = "") -> Read:
    """Return a function that looks a path up in a scope and raises MissingValueError.

    ``source`` is the expression to name in the error, when the path is all of it.

    Up to four names are spelt out: four expressions in five are such a path, and the look-up then
    costs about as much as in Python itself.
    """

    def explained(scope: Scope) -> MissingValueError:
        error = explain(scope, names, places)
        error.within(source)
        return error

    short = {1: _one, 2: _two, 3: _three, 4: _four}.get(len(names))
    return short(names, explained) if short else _many(names, explained)


Explained = Callable[[Scope], MissingValueError]


def _one(names: Sequence[str], explained: Explained) -> Read:
    (a,) = names

    def read(scope: Scope) -> Any:
        try:
            return scope[a]
        except (KeyError, TypeError):
            raise explained(scope) from None

    return read


def _two(names: Sequence[str], explained: Explained) -> Read:
    a, b = names

    def read(scope: Scope) -> Any:
        try:
            return scope[a][b]
        except (KeyError, TypeError):
            raise explained(scope) from None

    return read


def _three(names: Sequence[str], explained: Explained) -> Read:
    a, b, c = names

    def read(scope: Scope) -> Any:
        try:
            return scope[a][b][c]
        except (KeyError, TypeError):
            raise explained(scope) from None

    return read


def _four(names: Sequence[str], explained: Explained) -> Read:
    a, b, c, d = names

    def read(scope: Scope) -> Any:
        try:
            return scope[a][b][c][d]
        except (KeyError, TypeError):
            raise explained(scope) from None

    return read


def _many(names: Sequence[str], explained: Explained) -> Read:
    def read(scope: Scope) -> Any:
        value: Any = scope
        try:
            for name in names:
                value = value[name]
        except (KeyError, TypeError):
            raise explained(scope) from None
        return value

    return read


def explain(scope: Scope, names: Sequence[str], places: Sequence[Position]) -> MissingValueError:
    """Return the error for the first name of a path that is not there."""
    value: Any = scope
    for at, name in enumerate(names):
        if not isinstance(value, Mapping) or name not in value:
            error = MissingValueError(_why(value, names[:at], name))
            error.place(*places[at])
            return error
        value = value[name]
    return MissingValueError(f"`{'.'.join(names)}` is missing")


def _why(value: Any, before: Sequence[str], name: str) -> str:
    where = ".".join(before)
    if not before:
        return f"There is no `{name}` here{_meant(name, value, ROOTS)}"
    if tuple(before) == ("steps",):
        return f"The step `{name}` has no output: it has not run on this path"
    return _no_field(value, where, name)


def _no_field(value: Any, where: str, name: str) -> str:
    if isinstance(value, Mapping):
        return f"`{where}` has no field `{name}`{_meant(name, value, ())}"
    return f"`{where}` is {in_words(value)}, so it has no field `{name}`"


def _meant(name: str, value: Any, instead: Sequence[str]) -> str:
    known = [key for key in list(value)[:1000] if isinstance(key, str) and len(key) <= MAX_NAME]
    near = get_close_matches(name[:100], known, n=1)
    if near:
        return f"; did you mean `{near[0]}`?"
    shown = ", ".join((instead or known)[:SHOWN_NAMES])
    return f"; there are {shown}" if shown else ""


def field_of(value: Any, name: str) -> Any:
    """Return a field of any value. Raises MissingValueError."""
    if isinstance(value, Mapping):
        try:
            return value[name]
        except KeyError:
            pass
    raise MissingValueError(_no_field(value, "this value", name))


def element_of(value: Any, key: Any) -> Any:
    """Return the item of a list or the field of an object.

    Raises MissingValueError when it is not there, ExpressionError when there can be none.
    """
    if isinstance(value, Mapping) and isinstance(key, str):
        return field_of(value, key)
    if isinstance(value, list | tuple):
        return _item(value, key)
    if value is None or isinstance(value, Mapping):
        raise MissingValueError(f"{in_words(value).capitalize()} has no element {_named(key)}")
    raise ExpressionError(f"{in_words(value).capitalize()} has no elements")


def _item(items: Sequence[Any], key: Any) -> Any:
    if isinstance(key, float) and key.is_integer():
        key = int(key)
    if not isinstance(key, int) or isinstance(key, bool):
        raise ExpressionError(f"The place in a list is a whole number, not {in_words(key)}")
    if not 0 <= key < len(items):
        raise MissingValueError(f"The list has {len(items)} items; there is none at {_named(key)}")
    return items[key]


def _named(key: Any) -> str:
    if isinstance(key, int) and abs(key) > MAX_SHOWN:
        return "so high a number"
    return str(key)[:40] if isinstance(key, str | int | float) else in_words(key)


def places_of(node: Node) -> list[Position]:
    """Return where each name of a static path stands."""
    places = [node.at]
    while isinstance(node, Field | Index):
        node = node.target
        places.append(node.at)
    return places[::-1]
