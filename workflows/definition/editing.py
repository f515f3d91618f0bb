"""Small changes inside nested JSON, each with what undoes it."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from workflows.definition import pointer
from workflows.definition.suggestions import nearest

_ABSENT = object()


class OperationError(Exception):
    """An operation that cannot be applied; its text says what to change."""


def find(items: Sequence[dict[str, Any]], field: str, name: Any, noun: str) -> int:
    """Return the place of the item with this name. Raises OperationError."""
    for index, item in enumerate(items):
        if isinstance(name, str) and item.get(field) == name:
            return index
    known = [item[field] for item in items if isinstance(item.get(field), str)]
    near = nearest(name, known) if isinstance(name, str) else ""
    raise OperationError(f"There is no {noun} {name!r}.{near}")


def at_of(operation: dict[str, Any], items: Sequence[Any]) -> int:
    """Return where to insert: ``at``, or the end."""
    return place(operation["at"], len(items)) if "at" in operation else len(items)


def place(at: Any, last: int) -> int:
    """Return ``at`` when it is a whole number from 0 to ``last``. Raises OperationError."""
    if isinstance(at, bool) or not isinstance(at, int) or not 0 <= at <= last:
        raise OperationError(f"“at” is a whole number from 0 to {last}, not {at!r}.")
    return at


def text(value: Any, name: str, *, may_be_empty: bool = False) -> str:
    """Return the value when it is text. Raises OperationError."""
    if not isinstance(value, str) or not (value or may_be_empty):
        raise OperationError(f"“{name}” is text.")
    return value


def set_in(
    target: Any, operation: dict[str, Any], *, fixed: tuple[str, ...] = ()
) -> tuple[Any, dict[str, Any]]:
    """Return a changed copy, and the fields (``path``, ``value`` …) of the operation that undoes it.

    Objects that are missing on the way are made; the inverse then removes the first of them.
    ``fixed`` names keys that never change. Raises OperationError.
    """
    parts = _parts(operation["path"])
    if parts[0] in fixed:
        raise OperationError(
            f"The {parts[0]} never changes: expressions and history hold on to it."
        )
    result = deepcopy(target)
    holder, depth = _walk(result, parts)
    if operation.get("unset") or "value" not in operation:
        if depth != len(parts) - 1:
            return result, {"path": operation["path"], "unset": True}
        return result, _unset(holder, parts)
    value = deepcopy(operation["value"])
    for part in reversed(parts[depth + 1 :]):
        value = {part: value}
    return result, _put(holder, parts[: depth + 1], value, insert=bool(operation.get("insert")))


def _parts(path: Any) -> list[str]:
    try:
        parts = pointer.split(path) if isinstance(path, str) else []
    except ValueError as error:
        raise OperationError(str(error)) from error
    if not parts:
        raise OperationError("“path” names a place inside, for example /cfg/to.")
    return parts


def _walk(value: Any, parts: list[str]) -> tuple[Any, int]:
    """Return the deepest container on the way, and how many parts lead to it."""
    for depth, part in enumerate(parts[:-1]):
        inner = _get(value, part)
        if inner is _ABSENT:
            return value, depth
        value = inner
    return value, len(parts) - 1


def _get(holder: Any, part: str) -> Any:
    if isinstance(holder, dict):
        return holder.get(part, _ABSENT)
    if isinstance(holder, list):
        index = _index(part, len(holder))
        return holder[index] if index < len(holder) else _ABSENT
    raise OperationError(f"“{part}” cannot be set inside of {holder!r}: set the value above it.")


def _index(part: str, length: int) -> int:
    if part == "-":
        return length
    if not (part.isascii() and part.isdigit() and len(part) < 10) or int(part) > length:
        raise OperationError(f"The list has {length} entries: “{part}” is no place in it.")
    return int(part)


def _put(holder: Any, parts: list[str], value: Any, *, insert: bool) -> dict[str, Any]:
    path, last = pointer.of(parts), parts[-1]
    before = _get(holder, last)
    if isinstance(holder, dict):
        holder[last] = value
    else:
        index = _index(last, len(holder))
        path = pointer.of([*parts[:-1], index])
        if insert or before is _ABSENT:
            holder.insert(index, value)
            before = _ABSENT
        else:
            holder[index] = value
    return {"path": path, "unset": True} if before is _ABSENT else {"path": path, "value": before}


def _unset(holder: Any, parts: list[str]) -> dict[str, Any]:
    path, last = pointer.of(parts), parts[-1]
    before = _get(holder, last)
    if before is _ABSENT:
        # A default: it is left out of the document, and stays so.
        return {"path": path, "unset": True}
    if isinstance(holder, dict):
        del holder[last]
        return {"path": path, "value": before}
    del holder[_index(last, len(holder))]
    return {"path": path, "value": before, "insert": True}
