"""Webhook: another system sends something to an address of the workflow's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.sdk.trigger import TriggerType

MODES = {
    "standard_webhooks": "Signature (Standard Webhooks)",
    "hmac": "Signature of another kind (HMAC)",
    "header": "Secret header",
    "basic": "User and password",
    "github": "GitHub",
    "shopify": "Shopify",
    "stripe": "Stripe",
    "slack": "Slack",
    "none": "None: anybody may send",
}
CONFIRMATION = "I know that anybody may send"
_AUTH: Mapping[str, Any] = {
    "type": "object",
    "title": "How the sender proves itself",
    "description": "What is checked before anything is accepted.",
    "x-ui": "sign_in",
    "properties": {
        "mode": {"type": "string", "title": "Kind", "enum": list(MODES), "x-labels": MODES},
        "header": {"type": "string", "title": "Header", "pattern": "^[A-Za-z0-9-]{1,100}$"},
        "algorithm": {"type": "string", "title": "Method", "enum": ["sha256", "sha1", "sha512"]},
        "encoding": {"type": "string", "title": "Spelling", "enum": ["hex", "base64"]},
        "prefix": {"type": "string", "title": "Text before the signature", "maxLength": 40},
        "user": {"type": "string", "title": "User name", "maxLength": 200},
        "confirm_unauthenticated": {"type": "boolean", "title": CONFIRMATION},
    },
    "required": ["mode"],
    "additionalProperties": False,
    # Without a check only when somebody said so.
    "if": {"properties": {"mode": {"const": "none"}}},
    "then": {
        "properties": {"confirm_unauthenticated": {"const": True, "title": CONFIRMATION}},
        "required": ["confirm_unauthenticated"],
    },
    "default": {"mode": "standard_webhooks"},
}
_CONFIG: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "name": {
            "type": "string",
            "title": "Name",
            "description": "What this address is called in lists, such as Website form.",
            "x-ui": "text",
            "maxLength": 200,
        },
        "auth": _AUTH,
        "methods": {
            "type": "array",
            "title": "Accepted kinds of request",
            "description": "Most systems send with POST.",
            "x-ui": "choice",
            "items": {"type": "string", "enum": ["POST", "PUT", "PATCH", "GET", "DELETE"]},
            "minItems": 1,
            "uniqueItems": True,
            "default": ["POST"],
        },
        "event_key": {
            "type": "string",
            "title": "Where the event's own number stands",
            "description": "So that an event sent twice counts once: header:X-Event-Id or body:id. "
            "Left empty, the usual headers are looked at.",
            "x-ui": "text",
            "pattern": r"^(header:[A-Za-z0-9-]{1,100}|body:[A-Za-z0-9_.-]{1,200})$",
        },
        "answer": {
            "type": "string",
            "title": "When the sender is answered",
            "description": "At once, or by the flow: its step “Answer the webhook”, else its end.",
            "x-ui": "choice",
            "enum": ["at_once", "by_run"],
            "x-labels": {"at_once": "At once", "by_run": "By the flow"},
            "default": "at_once",
        },
        "longest_wait_s": {
            "type": "integer",
            "title": "Longest wait for the flow's answer, in seconds",
            "description": "After it the sender is told that the flow goes on. Left empty, 25, which is the most.",
            "x-ui": "number",
            "minimum": 1,
            # A web process that is told to end answers first what waits; it has 30 s.
            "maximum": 25,
        },
        "origins": {
            "type": "array",
            "title": "Websites that may send from the browser",
            "description": "Where a page's own script sends, such as https://example.com, or * for all.",
            "x-ui": "rows",
            "items": {
                "type": "string",
                "pattern": r"^(\*|https?://[A-Za-z0-9.-]{1,200}(:[0-9]{1,5})?)$",
            },
            "maxItems": 20,
            "uniqueItems": True,
        },
        "per_minute": {
            "type": "integer",
            "title": "Most events in a minute",
            "description": "Left empty, as many as come: beyond it the sender is asked to wait.",
            "x-ui": "number",
            "minimum": 1,
            "maximum": 1_000_000,
        },
        "most_kb": {
            "type": "integer",
            "title": "Largest request in kilobytes",
            "description": "Left empty, ten megabytes.",
            "x-ui": "number",
            "minimum": 1,
            "maximum": 10_240,
        },
    },
    "additionalProperties": False,
}

WEBHOOK = TriggerType(
    key="webhook",
    version=1,
    title="Webhook",
    sentence="When something arrives by webhook[ “{name}”]",
    description="Gives the workflow a web address. Whatever is sent there starts it.",
    icon="webhook",
    stored_type="webhook",
    config_schema=_CONFIG,
    event_schema={"type": "object", "additionalProperties": True},
    sample_event={
        "email": "ada@example.com",
        "name": "Ada Byron",
        "company": "Analytical Engines",
        "score": 80,
    },
    contact={"email": "event.email", "name": "event.name"},
)

TRIGGER_TYPES = (WEBHOOK,)
