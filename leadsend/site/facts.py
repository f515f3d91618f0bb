"""Data in words: a JSON value as a short list of names and texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from registry.sdk.sentences import humanised

MAX_FACTS = 40
MAX_TEXT = 2000
_MAX_DEPTH = 6
_LONGEST_ID = 100
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NOTHING = "–"
_STATES = frozenset({"PENDING", "DONE", "CANCELLED", "SUCCESS", "FAILED"})


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of data: what it is called and what it says."""

    name: str
    text: str


def facts_of(value: Any) -> list[Fact]:
    """Return a JSON value as at most ``MAX_FACTS`` lines; parts within parts are named "A › B".

    Ids are left out: they are for programs.
    """
    found: list[Fact] = []
    for fact in _facts(value, ()):
        if len(found) == MAX_FACTS:
            return [*found, Fact("…", "There is more: see the developer details.")]
        found.append(fact)
    return found


def _facts(value: Any, path: tuple[str, ...]) -> Iterator[Fact]:
    if isinstance(value, Mapping) and value and len(path) < _MAX_DEPTH:
        for key, inner in value.items():
            yield from _facts(inner, (*path, _name(str(key))))
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for number, item in enumerate(value, start=1):
            yield from _facts(item, (*path, str(number)))
    elif (value is not None or path) and not _is_id(value):
        yield Fact(" › ".join(path) or "Value", _text(value))


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and len(value) < _LONGEST_ID and bool(_ID.search(value))


def _name(key: str) -> str:
    # Only identifiers read as words: a header's or a person's own name stays as it was written.
    return humanised(key) if key.isidentifier() and key.islower() else key or "(no name)"


def _text(value: Any) -> str:
    match value:
        case bool():
            return "Yes" if value else "No"
        case None | "" | [] | {}:
            return _NOTHING
        case list():
            text = ", ".join(_text(item) for item in value)
        case _:
            text = str(value)
    if text.isupper() and text in _STATES:
        return text.capitalize()
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
