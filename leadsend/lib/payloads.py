"""Large JSON values do not stand in their row: what stands there instead, and how to tell it apart.

A value of more than 256 KiB (as compact JSON in UTF-8) is an object in the storage, and its column
holds ``{"$payload": {"day", "sha256", "bytes"}}``. A value of somebody's own that looks like this,
an object with the single key ``$payload``, is stored as ``{"$payload": {"inline": value}}``. So
nobody can pass text off as a reference: ``encode`` writes and ``parsed`` reads, and no other way
leads into these columns.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson

INLINE_LIMIT: Final = 256 * 1024
_KEY: Final = "$payload"
# How the text of a value begins that has to be looked at; all others cost one comparison.
MARK: Final = '{"$payload"'
_MARK_BYTES: Final = MARK.encode()
_INLINE: Final = "inline"
_UNITS: Final = ((1024 * 1024, "MiB"), (1024, "KiB"))


class Reference(NamedTuple):
    """Where a large value lies: the day it was written (UTC, ``2026-11-25``), its hash and size.

    No dataclass, because orjson would take that for data.
    """

    day: str
    sha256: str
    size_bytes: int

    def stored(self) -> dict[str, Any]:
        """Return what stands in the column."""
        where = {"day": self.day, "sha256": self.sha256, "bytes": self.size_bytes}
        return {_KEY: where}

    def __str__(self) -> str:
        return f"{told_size(self.size_bytes)} of data, too large to be shown here"


class Oversized(ValueError):
    """The value is larger than a row may hold: ``data`` is its JSON, which belongs in the storage."""

    def __init__(self, data: bytes) -> None:
        super().__init__(f"{len(data)} bytes of JSON are more than a row holds.")
        self.data = data


def encode(value: Any) -> str:
    """Return the text for the column. Raises Oversized above 256 KiB, TypeError for no JSON."""
    return checked(value, orjson.dumps(value, default=_reference))


def checked(value: Any, data: bytes) -> str:
    """Return the text for the column of a value whose JSON is ``data``. Raises Oversized."""
    if len(data) > INLINE_LIMIT:
        raise Oversized(data)
    if data.startswith(_MARK_BYTES):
        return _escaped(value, data)
    return data.decode()


def parsed(text: str | None) -> Any:
    """Return the value that a column's text says: JSON, or a Reference."""
    if text is None:
        return None
    value = orjson.loads(text)
    return opened(value) if text.startswith(MARK) else value


def opened(value: Any) -> Any:
    """Return the value of a decoded column: as it is, out of its wrapping, or a Reference."""
    if not _is_marked(value):
        return value
    inner = value[_KEY]
    if not isinstance(inner, dict):
        return value
    if inner.keys() == {_INLINE}:
        return inner[_INLINE]
    if inner.keys() == {"day", "sha256", "bytes"}:
        return Reference(inner["day"], inner["sha256"], inner["bytes"])
    return value


def wrapped(value: Any) -> Any:
    """Return what a column holds for a value, both as Python objects."""
    if isinstance(value, Reference):
        return value.stored()
    return {_KEY: {_INLINE: value}} if _is_marked(value) else value


def told_size(size_bytes: int) -> str:
    """Return a size for people, such as ``1.2 MiB``."""
    for unit, name in _UNITS:
        if size_bytes >= unit:
            return f"{size_bytes / unit:.1f} {name}"
    return f"{size_bytes} bytes"


def _reference(value: Any) -> Any:
    if isinstance(value, Reference):
        return value.stored()
    raise TypeError(f"{type(value).__name__} is no JSON.")


def _escaped(value: Any, data: bytes) -> str:
    if isinstance(value, Reference) or not _is_marked(value):
        return data.decode()
    return f'{{"{_KEY}":{{"{_INLINE}":{data.decode()}}}}}'


def _is_marked(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and _KEY in value
