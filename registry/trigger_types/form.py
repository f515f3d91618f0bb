"""Form: a page that LeadSend shows itself; what people send with it starts the workflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from registry.sdk.trigger import Fault, TriggerType

FIELD_TYPES = {
    "text": "Short text",
    "long_text": "Long text",
    "number": "Number",
    "choice": "Choice",
    "date": "Date",
    "email": "E-mail address",
    "phone": "Phone number",
    "consent": "Consent",
}
_FIELD: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "key": {
            "type": "string",
            "title": "Name in the data",
            "pattern": "^[a-z][a-z0-9_]{0,49}$",
        },
        "title": {"type": "string", "title": "Question", "minLength": 1, "maxLength": 300},
        "type": {
            "type": "string",
            "title": "Kind",
            "enum": [*FIELD_TYPES],
            "x-labels": FIELD_TYPES,
        },
        "required": {"type": "boolean", "title": "Must be filled in"},
        "help": {"type": "string", "title": "Help below the field", "maxLength": 500},
        "options": {
            "type": "array",
            "title": "What can be chosen",
            "items": {"type": "string", "minLength": 1, "maxLength": 200},
            "minItems": 1,
            "maxItems": 100,
            "uniqueItems": True,
        },
    },
    "required": ["key", "title"],
    "additionalProperties": False,
    "if": {"properties": {"type": {"const": "choice"}}, "required": ["type"]},
    "then": {"required": ["options"]},
}
_CONFIG: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "title": {
            "type": "string",
            "title": "Heading",
            "description": "What stands above the form, such as Contact us.",
            "x-ui": "text",
            "minLength": 1,
            "maxLength": 200,
        },
        "intro": {
            "type": "string",
            "title": "Text above the fields",
            "description": "What people should know before they fill it in.",
            "x-ui": "textarea",
            "maxLength": 5000,
        },
        "fields": {
            "type": "array",
            "title": "Fields",
            "description": "What is asked for, in this order.",
            "x-ui": "rows",
            "items": _FIELD,
            "minItems": 1,
            "maxItems": 50,
        },
        "button": {
            "type": "string",
            "title": "Text of the button",
            "description": "Left empty, it says Send.",
            "x-ui": "text",
            "maxLength": 60,
        },
        "thanks": {
            "type": "string",
            "title": "Text after sending",
            "description": "What people read when their answers have arrived.",
            "x-ui": "textarea",
            "maxLength": 5000,
        },
        "redirect": {
            "type": "string",
            "title": "Page after sending",
            "description": "An address to go to in place of the text, such as https://example.com/thanks.",
            "x-ui": "text",
            "pattern": r"^https://[^\s\"'<>;,]{1,1900}$",
        },
        "frames": {
            "type": "array",
            "title": "Websites that may show it",
            "description": "Where the form may be part of another page, such as https://example.com.",
            "x-ui": "rows",
            "items": {"type": "string", "pattern": r"^https://[A-Za-z0-9.-]{1,200}(:[0-9]{1,5})?$"},
            "maxItems": 20,
        },
        "per_minute": {
            "type": "integer",
            "title": "Most from one address in a minute",
            "description": "Left empty, ten: more often than that is asked to wait.",
            "x-ui": "number",
            "minimum": 1,
            "maximum": 1000,
        },
    },
    "required": ["title", "fields"],
    "additionalProperties": False,
}


def _faults(cfg: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield fields whose key another field has already."""
    seen: set[str] = set()
    fields = cfg.get("fields")
    for index, field in enumerate(fields if isinstance(fields, list) else ()):
        key = field.get("key") if isinstance(field, Mapping) else None
        if isinstance(key, str) and key in seen:
            yield Fault(
                code="duplicate_id",
                path=("fields", index, "key"),
                message=f"There are two fields “{key}”: give one of them another name.",
            )
        elif isinstance(key, str):
            seen.add(key)


FORM = TriggerType(
    key="form",
    version=1,
    title="Form",
    sentence="When somebody sends the form[ “{title}”]",
    description="Gives the workflow a page with fields. Whatever is sent with it starts it.",
    icon="clipboard-list",
    stored_type="form",
    config_schema=_CONFIG,
    event_schema={"type": "object", "additionalProperties": True},
    sample_event={
        "email": "ada@example.com",
        "name": "Ada Byron",
        "message": "Please call me about the engine.",
    },
    contact={"email": "event.email", "name": "event.name"},
    find_faults=_faults,
)

TRIGGER_TYPES = (FORM,)
