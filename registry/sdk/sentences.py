"""Says a step in a sentence: the action's pattern, filled with the step's settings in words.

A pattern names fields in braces, and drops what stands in brackets when its fields are empty:
``Sends “{template}” to {to}[ and a copy to {cc}]``. A field's schema says how it reads:
``x-sentence`` is said when it is empty, ``x-labels`` names its choices, ``x-count`` (one, many)
what its entries are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_FIELD = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_HOLE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_PATH = re.compile(r"^\s*[A-Za-z_]\w*(?:\.\w+)*\s*$")
_LONGEST_VALUE = 60
_NOTHING = "…"


def fields_of(pattern: str) -> list[str]:
    """Return the names of the fields that a pattern mentions."""
    return _FIELD.findall(pattern)


def render_sentence(
    pattern: str, settings: Mapping[str, Any], config_schema: Mapping[str, Any]
) -> str:
    """Return the sentence of a step with these settings, in plain words, without braces."""
    properties: Mapping[str, Any] = config_schema.get("properties", {})

    def words(match: re.Match[str]) -> str:
        name = match.group(1)
        return words_of(settings.get(name), properties.get(name, {})) or _NOTHING

    def part(match: re.Match[str]) -> str:
        names = fields_of(match.group(1))
        said = all(words_of(settings.get(name), properties.get(name, {})) for name in names)
        return match.group(1) if said else ""

    return _FIELD.sub(words, _OPTIONAL.sub(part, pattern))


def words_of(value: Any, schema: Mapping[str, Any]) -> str:
    """Return a value in words, "" when there is nothing to say."""
    if value in (None, "", [], {}):
        value = schema.get("default")
    if value in (None, "", [], {}):
        return str(schema.get("x-sentence", ""))
    labels: Mapping[str, str] = schema.get("x-labels", {})
    if isinstance(value, str):
        return _shortened(labels.get(value) or _without_holes(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return _span(value) or _count(len(value), schema)
    if isinstance(value, list):
        return _listed(value, schema)
    return str(value)


def humanised(path: str) -> str:
    """Return the last part of a path in words: ``event.new.first_name`` reads "First name"."""
    words = re.sub(r"[_\W]+", " ", path.strip().rsplit(".", 1)[-1]).strip()
    return words[:1].upper() + words[1:]


def _without_holes(text: str) -> str:
    return _HOLE.sub(lambda match: _said(match.group(1)), text)


def _said(expression: str) -> str:
    return humanised(expression) if _PATH.match(expression) else "a calculated value"


def _span(value: Mapping[str, Any]) -> str:
    if set(value) != {"value", "unit"}:
        return ""
    number, unit = words_of(value["value"], {}), str(value["unit"])
    return f"{number} {unit.removesuffix('s') if number == '1' else unit}"


def _listed(values: list[Any], schema: Mapping[str, Any]) -> str:
    if all(isinstance(value, str) for value in values):
        return _shortened(", ".join(_without_holes(value) for value in values))
    return _count(len(values), schema)


def _count(number: int, schema: Mapping[str, Any]) -> str:
    one, many = schema.get("x-count", ("entry", "entries"))
    return f"{number} {one if number == 1 else many}"


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
