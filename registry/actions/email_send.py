"""Send email: writes to the contact, or to whom the step names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import getaddresses
from typing import Any

from leadsend.lib.errors import ConfigurationError, PermanentError
from registry.sdk.action import Action, ActionContext, Contact, Delivery, Mail, RetryPolicy

MOST_RECIPIENTS = 50

_ADDRESS = re.compile(r"^[^\s@,;<>()\[\]\\\"]{1,64}@[^\s@,;<>()\[\]\\\"]{1,255}$")
_CONFIG: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "to": {
            "type": "string",
            "title": "To",
            "description": "Who gets the email. Left empty, it goes to the contact that started this.",
            "x-ui": "text",
            "x-sentence": "the contact",
            "maxLength": 2000,
        },
        "template": {
            "type": "string",
            "title": "Template",
            "description": "A ready-made email. Subject and message below replace its parts.",
            "x-ui": "mail_template",
            "enum": ["welcome", "reminder"],
            "x-labels": {"welcome": "Welcome", "reminder": "Reminder"},
        },
        "subject": {
            "type": "string",
            "title": "Subject",
            "description": "What the email is about. Left empty, the template's subject is used.",
            "x-ui": "text",
            "maxLength": 500,
        },
        "text": {
            "type": "string",
            "title": "Message",
            "description": "The email's text. Left empty, the template's text is used.",
            "x-ui": "textarea",
            "maxLength": 200_000,
        },
        "html": {
            "type": "string",
            "title": "Message with formatting",
            "description": "The same message as a web page, for mail programs that show it.",
            "x-ui": "textarea",
            "maxLength": 500_000,
        },
        "cc": {
            "type": "string",
            "title": "Copy to",
            "description": "Who gets a copy that everybody sees. Several with commas.",
            "x-ui": "text",
            "maxLength": 2000,
        },
        "bcc": {
            "type": "string",
            "title": "Hidden copy to",
            "description": "Who gets a copy that nobody else sees. Several with commas.",
            "x-ui": "text",
            "maxLength": 2000,
        },
        "reply_to": {
            "type": "string",
            "title": "Answers go to",
            "description": "Where answers arrive. Left empty, with the sender.",
            "x-ui": "text",
            "maxLength": 320,
        },
    },
    "anyOf": [{"required": ["template"]}, {"required": ["subject", "text"]}],
    "additionalProperties": False,
}
_OUTPUT: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "message_id": {"type": "string", "title": "Message number"},
        "mode": {
            "type": "string",
            "title": "How it went out",
            "enum": ["smtp", "outbox", "pretend"],
        },
        "to": {"type": "array", "title": "Sent to", "items": {"type": "string"}},
        "subject": {"type": "string", "title": "Subject"},
    },
    "required": ["message_id", "mode", "to"],
    "additionalProperties": True,
}


async def _run(ctx: ActionContext, inputs: Mapping[str, Any]) -> dict[str, Any]:
    mail = _mail(inputs, ctx.contact)
    sent = await ctx.mail.send(mail)
    return {"to": [mail.to, *mail.cc], **sent}


def _mail(inputs: Mapping[str, Any], contact: Contact) -> Mail:
    recipients = _addresses(inputs.get("to") or contact.email, "To")
    if not recipients:
        raise PermanentError(
            "There is nobody to write to: the contact has no email address. Fill in To."
        )
    template, subject, text = (_text(inputs, name) for name in ("template", "subject", "text"))
    if not template and not (subject and text):
        raise ConfigurationError("Choose a template, or write a subject and a message.")
    _check_one_line(subject)
    return Mail(
        to=", ".join(recipients),
        subject=subject,
        text=text,
        html=_text(inputs, "html"),
        template=template,
        cc=_addresses(inputs.get("cc"), "Copy to"),
        bcc=_addresses(inputs.get("bcc"), "Hidden copy to"),
        reply_to=", ".join(_addresses(inputs.get("reply_to"), "Answers go to")),
        values={"name": contact.name, "email": contact.email},
    )


def _addresses(value: Any, label: str) -> tuple[str, ...]:
    """Return the plain addresses of text like ``Ada <ada@x.com>, ben@x.com`` or of a list."""
    texts = [str(item) for item in value] if isinstance(value, list) else [str(value or "")]
    if any("\r" in text or "\n" in text for text in texts):
        raise PermanentError(f"{label} holds a line break.")
    found = tuple(dict.fromkeys(address for _, address in getaddresses(texts) if address))
    if any(texts) and not found and "".join(texts).strip():
        raise PermanentError(f"{label} holds no email address: {texts[0][:80]!r}.")
    for address in found:
        if not _ADDRESS.match(address):
            raise PermanentError(f"{label} holds {address[:80]!r}, which is no email address.")
    if len(found) > MOST_RECIPIENTS:
        raise PermanentError(f"{label} names more than {MOST_RECIPIENTS} people.")
    return found


def _text(inputs: Mapping[str, Any], name: str) -> str:
    value = inputs.get(name)
    return "" if value is None else str(value)


def _check_one_line(subject: str) -> None:
    if "\r" in subject or "\n" in subject:
        raise PermanentError("The subject holds a line break; take it out.")


def _pretend(inputs: Mapping[str, Any]) -> dict[str, Any]:
    to = inputs.get("to") or "the contact"
    answer: dict[str, Any] = {"message_id": "", "mode": "pretend", "to": [str(to)]}
    return {**answer, "subject": str(inputs["subject"])} if inputs.get("subject") else answer


EMAIL_SEND = Action(
    key="email_send",
    version=1,
    title="Send email",
    sentence="Sends [the email “{template}” ][“{subject}” ]to {to}",
    description="Sends an email from a template or of your own words. "
    "Every new try carries the same message number, so mail systems can see a repeat.",
    category="communication",
    icon="mail",
    config_schema=_CONFIG,
    output_schema=_OUTPUT,
    example={"template": "welcome"},
    sample_output={
        "message_id": "<6a3b2f1e@leadsend.example>",
        "mode": "outbox",
        "to": ["ada@example.com"],
        "subject": "Welcome, Ada Byron",
    },
    delivery=Delivery.IDEMPOTENT_KEY,
    run=_run,
    pretend=_pretend,
    retry=RetryPolicy(attempts=5),
    timeout_s=60.0,
    rate_limit_key="mail",
)

ACTIONS = (EMAIL_SEND,)
