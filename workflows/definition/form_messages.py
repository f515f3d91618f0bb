"""Sentences for what JSON Schema finds: what is wrong, and what to write instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonschema.exceptions import ValidationError

from workflows.definition.suggestions import nearest

# (code, what to add to the path, sentence)
Finding = tuple[str, tuple[str, ...], str]

_KINDS = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object {…}",
    "null": "empty (null)",
}


def message_of(error: ValidationError) -> Iterator[Finding]:
    """Yield what an error of JSON Schema means, usually one finding."""
    keyword = str(error.validator)
    if keyword == "required":
        required: Any = error.validator_value
        yield from _missing(error, required)
    elif keyword == "additionalProperties":
        yield from _unknown(error)
    elif keyword in {"anyOf", "oneOf"}:
        yield ("form", (), _choice(error))
    else:
        sentence = _SENTENCES.get(keyword, _anything)(error.validator_value, _label(error))
        yield ("form", (), sentence)


def _missing(error: ValidationError, required: list[str]) -> Iterator[Finding]:
    fields = _properties(error)
    instance: Any = error.instance
    for name in required:
        if name not in instance:
            label = _title(fields.get(name), name)
            yield ("missing", (name,), f"{label} is missing: fill it in.")


def _unknown(error: ValidationError) -> Iterator[Finding]:
    known = list(_properties(error))
    instance: Any = error.instance
    for name in instance:
        if name not in known:
            near = nearest(name, known)
            hint = near or _known_list(known)
            yield ("unknown_key", (name,), f"There is no setting “{name}” here.{hint}")


def _choice(error: ValidationError) -> str:
    """Say which of several forms there are: fields to fill in, or kinds of values."""
    alternatives: Any = error.validator_value
    options = [option for option in alternatives if isinstance(option, Mapping)]
    fields = _properties(error)
    groups = [[_title(fields.get(name), name) for name in o.get("required", ())] for o in options]
    if all(groups) and isinstance(error.instance, Mapping):
        return f"Fill in {', or '.join(' and '.join(group) for group in groups)}."
    kinds = [option["type"] for option in options if isinstance(option.get("type"), str)]
    if kinds:
        return _type(list(dict.fromkeys(kinds)), _label(error))
    return _anything(None, _label(error))


def _known_list(known: list[str]) -> str:
    if not known:
        return " Nothing can be set here."
    return f" Known here: {', '.join(known[:12])}."


def _properties(error: ValidationError) -> Mapping[str, Any]:
    found = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
    return found if isinstance(found, Mapping) else {}


def _label(error: ValidationError) -> str:
    name = next((part for part in reversed(error.path) if isinstance(part, str)), "")
    return _title(error.schema, name or "The value")


def _title(of: Any, name: str) -> str:
    title = of.get("title") if isinstance(of, Mapping) else None
    return f"“{title or name}”" if title or name != "The value" else name


def _short(value: Any) -> str:
    text = f"“{value}”" if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _type(expected: Any, label: str) -> str:
    names = [expected] if isinstance(expected, str) else list(expected)
    return f"{label} must be {' or '.join(_KINDS.get(name, name) for name in names)}."


def _enum(choices: Any, label: str) -> str:
    return f"{label} must be one of {', '.join(_short(choice) for choice in choices)}."


def _const(expected: Any, label: str) -> str:
    return f"{label} must be {_short(expected)}."


def _min_length(limit: Any, label: str) -> str:
    return f"{label} is empty: fill it in." if limit == 1 else f"{label} needs {limit} characters."


def _min_items(limit: Any, label: str) -> str:
    return f"{label} needs at least {limit} {'entry' if limit == 1 else 'entries'}."


def _max_properties(limit: Any, label: str) -> str:
    return f"{label} takes {'only one' if limit == 1 else f'at most {limit}'} of its settings."


def _pattern(pattern: Any, label: str) -> str:
    if pattern == r"\S":
        return f"{label} is empty: fill it in."
    if str(pattern).startswith("^[a-z][a-z0-9_]"):
        return (
            f"{label} may hold small letters, digits and _, starts with a letter, "
            "and is at most 63 characters long."
        )
    return f"{label} does not have the expected form ({pattern})."


def _format(name: Any, label: str) -> str:
    names = {"email": "an e-mail address", "uri": "a web address", "date-time": "a date and time"}
    return f"{label} must be {names.get(name, f'a valid {name}')}."


def _anything(_: Any, label: str) -> str:
    return f"{label} has a form that is not accepted here; compare it with the documentation."


_SENTENCES: Mapping[str, Callable[[Any, str], str]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "minLength": _min_length,
    "maxLength": lambda limit, label: f"{label} is longer than {limit} characters: shorten it.",
    "minimum": lambda limit, label: f"{label} must be at least {limit}.",
    "maximum": lambda limit, label: f"{label} must be at most {limit}.",
    "exclusiveMinimum": lambda limit, label: f"{label} must be more than {limit}.",
    "exclusiveMaximum": lambda limit, label: f"{label} must be less than {limit}.",
    "minItems": _min_items,
    "maxItems": lambda limit, label: f"{label} takes at most {limit} entries.",
    "uniqueItems": lambda _, label: f"{label} holds an entry twice: remove one.",
    "minProperties": lambda _, label: f"{label} is empty: choose one of its settings.",
    "maxProperties": _max_properties,
    "pattern": _pattern,
    "format": _format,
}
