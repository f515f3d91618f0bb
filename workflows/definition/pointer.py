"""JSON pointers (RFC 6901): how problems and operations name a place in a document."""

from __future__ import annotations

from collections.abc import Iterable


def join(base: str, *parts: str | int) -> str:
    """Return the pointer of something below ``base``; ``base`` is "" for the whole document."""
    return base + "".join(f"/{_escape(str(part))}" for part in parts)


def of(parts: Iterable[str | int]) -> str:
    """Return the pointer with these parts."""
    return join("", *parts)


def split(pointer: str) -> list[str]:
    """Return the parts of a pointer. Raises ValueError unless it is "" or starts with a slash."""
    if not pointer:
        return []
    if not pointer.startswith("/"):
        raise ValueError(f"A path starts with a slash; write “/{pointer}”.")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
