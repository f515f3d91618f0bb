"""What a contract must hold to: findings as sentences, for tests and for authors of actions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from registry.sdk.action import Action, Delivery
from registry.sdk.sentences import fields_of, render_sentence
from registry.sdk.trigger import CredentialType, TriggerType

KEY = re.compile(r"^[a-z][a-z0-9_]{1,62}$")
# The field kinds that forms can draw; what is missing here is drawn by its type.
WIDGETS = frozenset(
    {
        "text",
        "textarea",
        "secret",
        "number",
        "duration",
        "date",
        "choice",
        "switch",
        "person_or_team",
        "mail_template",
        "connection",
        "key_value",
        "rows",
        "any",
        "table",
        "columns",
        "schedule",
        "timezone",
        "sign_in",
    }
)
BANNED_WORDS = re.compile(
    r"\b(node|payload|json|expression|boolean|string|array|object|null|cron|queue|worker"
    r"|execution|credential|instance)s?\b",
    re.IGNORECASE,
)


def action_problems(action: Action) -> list[str]:
    """Return what is wrong with an action's contract, one sentence each."""
    return [
        *_frame(action.key, action.title, action.sentence, action.description),
        *(f"alias {alias!r} is no key" for alias in action.aliases if not KEY.match(alias)),
        *_form(action.config_schema),
        *_schema("output_schema", action.output_schema),
        *_fits("example", action.example, action.config_schema),
        *_fits("sample_output", action.sample_output, action.output_schema),
        *_sentence(action.sentence, action.example, action.config_schema),
        *_pretended(action),
        *_delivery(action),
    ]


def trigger_problems(trigger: TriggerType) -> list[str]:
    """Return what is wrong with a trigger type's contract, one sentence each."""
    return [
        *_frame(trigger.key, trigger.title, trigger.sentence, trigger.description),
        *_form(trigger.config_schema),
        *_schema("event_schema", trigger.event_schema),
        *_fits("sample_event", trigger.sample_event, trigger.event_schema),
        *_sentence(trigger.sentence, trigger.preset_cfg, trigger.config_schema),
        *(
            f"contact {name} must be a path of event, not {path!r}"
            for name, path in trigger.contact.items()
            if name not in ("email", "name") or not path.startswith("event.")
        ),
    ]


def credential_type_problems(kind: CredentialType) -> list[str]:
    """Return what is wrong with a credential type's contract, one sentence each."""
    properties = kind.config_schema.get("properties", {})
    return [
        *_frame(kind.key, kind.title, kind.title, kind.description),
        *_form(kind.config_schema),
        *(
            f"secret field {name} must be a field drawn as secret"
            for name in kind.secret_fields
            if properties.get(name, {}).get("x-ui") != "secret"
        ),
        *(["there is no secret field"] if not kind.secret_fields else []),
    ]


def _frame(key: str, title: str, sentence: str, description: str) -> Iterator[str]:
    if not KEY.match(key):
        yield f"key {key!r} must be small letters, digits and _"
    for name, text in (("title", title), ("sentence", sentence), ("description", description)):
        if not text.strip():
            yield f"{name} is empty"
        if found := BANNED_WORDS.search(_FIELDS.sub("", text)):
            yield f"{name} says {found.group()!r}, which users do not know"


_FIELDS = re.compile(r"\{[^}]*\}")


def _form(schema: Mapping[str, Any]) -> Iterator[str]:
    yield from _schema("config_schema", schema)
    if schema.get("type") != "object" or schema.get("additionalProperties") is not False:
        yield "config_schema must be a closed object"
    for name, field in schema.get("properties", {}).items():
        yield from _field(name, field)


def _field(name: str, field: Mapping[str, Any]) -> Iterator[str]:
    for words in ("title", "description"):
        text = str(field.get(words, ""))
        if not text.strip():
            yield f"field {name} has no {words}"
        if found := BANNED_WORDS.search(text):
            yield f"{words} of field {name} says {found.group()!r}, which users do not know"
    if field.get("x-ui") not in WIDGETS:
        yield f"field {name} has no known x-ui"
    if set(field.get("enum", ())) - set(field.get("x-labels", ())):
        yield f"field {name} has choices without x-labels"


def _schema(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        yield f"{name} is no JSON Schema: {error.message}"


def _fits(name: str, value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    if any(_schema(name, schema)):
        return  # told by the check of the schema itself
    for error in Draft202012Validator(schema).iter_errors(value):
        yield f"{name} does not fit its schema at {error.json_path}: {error.message}"


def _sentence(
    pattern: str, settings: Mapping[str, Any], schema: Mapping[str, Any]
) -> Iterator[str]:
    for name in fields_of(pattern):
        if name not in schema.get("properties", {}):
            yield f"the sentence names {name}, which is no field"
    sentence = render_sentence(pattern, settings, schema)
    if "{" in sentence or "}" in sentence or "…" in sentence:
        yield f"the example's sentence has holes: {sentence}"


def _pretended(action: Action) -> Iterator[str]:
    answer = action.pretend(action.example)
    yield from _fits("the pretended answer", answer, action.output_schema)


def _delivery(action: Action) -> Iterator[str]:
    if action.pure and action.delivery is not Delivery.NATURAL_IDEMPOTENT:
        yield "a pure action is delivered as natural_idempotent"
