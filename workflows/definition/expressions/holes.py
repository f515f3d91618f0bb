"""Texts with holes: ``Dear {{ event.name }}`` taken apart into fixed parts and expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from workflows.definition.expressions.errors import ExpressionLimitError, ExpressionSyntaxError
from workflows.definition.expressions.limits import MAX_DATA_DEPTH, MAX_HOLES, MAX_TEXT
from workflows.definition.expressions.scan import end_of_hole, place_of

OPEN, CLOSE = "{{", "}}"


@dataclass(frozen=True, slots=True)
class Hole:
    """An expression in a text; line and column are where it begins."""

    source: str
    line: int
    column: int


Part = str | Hole


@lru_cache(maxsize=4096)
def parts_of(text: str) -> tuple[Part, ...]:
    """Return the fixed parts and holes in order.

    Raises ExpressionSyntaxError for a hole that is not closed, ExpressionLimitError beyond 100,000
    characters.
    """
    if OPEN not in text:
        return (text,)
    if len(text) > MAX_TEXT:
        raise ExpressionLimitError(
            f"The text has {len(text):,} characters; with holes {MAX_TEXT:,} are allowed"
        )
    parts = tuple(_parts(text))
    if sum(isinstance(part, Hole) for part in parts) > MAX_HOLES:
        raise ExpressionLimitError(f"The text has more than {MAX_HOLES} holes")
    return parts


def _parts(text: str) -> Iterator[Part]:
    at = 0
    while (start := text.find(OPEN, at)) >= 0:
        if start > at:
            yield text[at:start]
        inside = start + len(OPEN)
        end = end_of_hole(text, inside)
        if end < 0:
            line, column = place_of(text, start)
            raise ExpressionSyntaxError(
                "`{{` is not closed by `}}`", line=line, column=column, source=text
            )
        yield _hole(text, inside, end)
        at = end + len(CLOSE)
    if at < len(text):
        yield text[at:]


def _hole(text: str, start: int, end: int) -> Hole:
    inner = text[start:end]
    source = inner.strip()
    offset = start + (len(inner) - len(inner.lstrip()) if source else 0)
    return Hole(source, *place_of(text, offset))


def sources_in(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield the expressions of all holes in a value made of texts, lists and objects."""
    if isinstance(value, str):
        yield from (part.source for part in parts_of(value) if isinstance(part, Hole))
        return
    check_depth(depth)
    items = value.values() if isinstance(value, Mapping) else value
    if isinstance(value, list | tuple | Mapping):
        for item in items:
            yield from sources_in(item, depth + 1)


def check_depth(depth: int) -> None:
    """Raise ExpressionLimitError when a value is nested too deeply to be walked."""
    if depth > MAX_DATA_DEPTH:
        raise ExpressionLimitError(f"The value is nested deeper than {MAX_DATA_DEPTH} levels")
