"""Writes the page of an action for docs/actions/, from its contract alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from registry.sdk.action import Action, Delivery
from registry.sdk.sentences import render_sentence

DELIVERY_WORDS: Mapping[Delivery, str] = {
    Delivery.TRANSACTIONAL: "Happens exactly once: it is written together with the step's result.",
    Delivery.IDEMPOTENT_KEY: "Carries the same key on every try. It happens once where the other "
    "side honours the key, at least once elsewhere.",
    Delivery.NATURAL_IDEMPOTENT: "May be repeated: doing it twice is the same as doing it once.",
    Delivery.AT_MOST_ONCE: "Is never repeated by itself. After a crash in the wrong moment a person "
    "decides.",
    Delivery.AT_LEAST_ONCE: "Is repeated until it is known to have happened, so it may happen twice.",
}


def action_page(action: Action) -> str:
    """Return the page in Markdown, ending in a line break."""
    return "\n".join(_lines(action)) + "\n"


def _lines(action: Action) -> Iterator[str]:
    yield "<!-- Made from the action's contract by registry.sdk.pages; do not edit. -->"
    yield f"# {action.title}"
    yield ""
    yield action.description
    yield ""
    yield f"- Key: `{action.key}`{_aliases(action)}"
    yield f"- Category: {action.category}"
    yield f"- Promise: {DELIVERY_WORDS[action.delivery]}"
    if not action.pure:
        yield f"- Tries: {action.retry.attempts}, {action.timeout_s:g} s each at most"
    if action.credential_types:
        yield f"- Connections: {', '.join(f'`{key}`' for key in action.credential_types)}"
    yield from ["", "## Settings", ""]
    yield from _table(action.config_schema)
    yield from ["", "## Example", "", *_code(_step(action)), ""]
    sentence = render_sentence(action.sentence, action.example, action.config_schema)
    yield f"It reads: *{sentence}*"
    yield from ["", "## Result", ""]
    yield from _table(action.output_schema)
    yield from ["", "For example:", "", *_code(action.sample_output)]


def _step(action: Action) -> dict[str, Any]:
    return {"kind": "action", "action_key": action.key, "cfg": action.example}


def _aliases(action: Action) -> str:
    if not action.aliases:
        return ""
    return f" (also known as {', '.join(f'`{alias}`' for alias in action.aliases)})"


def _table(schema: Mapping[str, Any]) -> Iterator[str]:
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    if not properties:
        yield "What the settings make of it."
        return
    yield "| name | what it is | values |"
    yield "| --- | --- | --- |"
    required = schema.get("required", ())
    for name, field in properties.items():
        need = " (needed)" if name in required else ""
        text = ". ".join(part for part in (field.get("title"), field.get("description")) if part)
        yield f"| `{name}`{need} | {_cell(text)} | {_cell(_values(field))} |"


def _values(field: Mapping[str, Any]) -> str:
    parts = [_kind(field)]
    if "default" in field:
        parts.append(f"default `{json.dumps(field['default'])}`")
    if "minimum" in field and "maximum" in field:
        parts.append(f"{field['minimum']} to {field['maximum']}")
    return ", ".join(parts)


def _kind(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return " · ".join(f"`{value}`" for value in field["enum"])
    if "anyOf" in field:
        return " or ".join(_kind(option) for option in field["anyOf"])
    kind = field.get("type", "anything")
    names = [kind] if isinstance(kind, str) else list(kind)
    if "properties" in field:
        return f"object with {', '.join(f'`{name}`' for name in field['properties'])}"
    return " or ".join(names)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _code(value: Any) -> list[str]:
    return ["```json", *json.dumps(value, indent=2, ensure_ascii=False).splitlines(), "```"]
