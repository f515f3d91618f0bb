"""Answer the webhook: says what whoever called the webhook gets back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from leadsend.lib.errors import PermanentError
from registry.sdk.action import Action, ActionContext, Apply, Delivery

# What says how the answer is sent, or lets it do more than be read, is not the flow's to say.
_HEADER = re.compile(r"^(x-[a-z0-9-]{1,60}|location|retry-after|cache-control|etag|link)$")
_MOST_HEADERS = 20
_LONGEST_HEADER = 2000
_CONFIG: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "status": {
            "title": "Number of the answer",
            "description": "200 says that all is well; others, such as 404, say what was wrong.",
            "x-ui": "number",
            "type": "integer",
            "minimum": 200,
            "maximum": 599,
            "default": 200,
        },
        "body_kind": {
            "type": "string",
            "title": "Kind of content",
            "description": "Data for programs, or plain text.",
            "x-ui": "choice",
            "enum": ["json", "text"],
            "x-labels": {"json": "Data (JSON)", "text": "Text"},
            "default": "json",
        },
        "body": {
            "title": "Content",
            "description": "What is sent back. Left empty, nothing is.",
            "x-ui": "any",
        },
        "headers": {
            "type": "object",
            "title": "Headers",
            "description": "Location, Retry-After, Cache-Control, ETag, Link, and names that begin with X-.",
            "x-ui": "key_value",
            "additionalProperties": {"type": "string", "maxLength": _LONGEST_HEADER},
            "maxProperties": _MOST_HEADERS,
        },
    },
    "additionalProperties": False,
}
_OUTPUT: Mapping[str, Any] = {
    "type": "object",
    "properties": {"answered": {"type": "boolean", "title": "Was the first answer"}},
    "required": ["answered"],
    "additionalProperties": False,
}


async def _run(ctx: ActionContext, inputs: Mapping[str, Any]) -> Apply:
    return Apply(act="webhook.respond", arguments=read_answer(inputs))


def read_answer(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``{"status", "headers", "body", "is_text"}``. Raises PermanentError for bad values."""
    status = inputs.get("status", 200)
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
        raise PermanentError("The number of the answer is one from 200 to 599.")
    is_text = inputs.get("body_kind") == "text"
    body = inputs.get("body")
    if is_text and not isinstance(body, str):
        body = "" if body is None else str(body)
    return {
        "status": status,
        "headers": _headers(inputs.get("headers") or {}),
        "body": body,
        "is_text": is_text,
    }


def _headers(given: Mapping[str, Any]) -> dict[str, str]:
    headers = {}
    for name, value in given.items():
        text = str(value)
        if not _HEADER.match(str(name).lower()):
            raise PermanentError(
                f"The header {str(name)[:60]!r} cannot be set here: use one that begins with X-."
            )
        if not text.isprintable() or not text.isascii() or len(text) > _LONGEST_HEADER:
            raise PermanentError(f"The header {name} holds more than one line of plain letters.")
        headers[str(name).lower()] = text
    return headers


def _pretend(inputs: Mapping[str, Any]) -> dict[str, Any]:
    read_answer(inputs)
    return {"answered": True}


WEBHOOK_RESPOND = Action(
    key="webhook_respond",
    version=1,
    title="Answer the webhook",
    sentence="Answers the webhook[ with {status}]",
    description="Says what whoever called the webhook gets back. "
    "The webhook must be set to wait for the flow's answer; the first answer counts.",
    category="data",
    icon="reply",
    config_schema=_CONFIG,
    output_schema=_OUTPUT,
    example={"status": 200, "body": {"accepted": True, "lead": "{{ event.email }}"}},
    sample_output={"answered": True},
    delivery=Delivery.TRANSACTIONAL,
    run=_run,
    pretend=_pretend,
)

ACTIONS = (WEBHOOK_RESPOND,)
