"""Builds the e-mails that leave: from a shipped template or from given words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import TYPE_CHECKING
from uuid import UUID

from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from leadsend.lib import clock
from leadsend.lib.errors import ConfigurationError, PermanentError
from leadsend.lib.input_guard import clean_text

if TYPE_CHECKING:
    from registry.sdk.action import Mail

TEMPLATES = ("welcome", "reminder")
LONGEST_SUBJECT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a mail says."""

    subject: str
    text: str
    html: str = ""


def build(mail: Mail, *, idempotency_key: UUID, sender: str) -> EmailMessage:
    """Return the message, the same bytes for every attempt under one key but for its date.

    The Message-ID is ``<key@domain of the sender>``. Hidden copies stand in ``Bcc``, which
    ``smtplib`` leaves out when it sends. Raises PermanentError for line breaks and bad addresses,
    ConfigurationError for an unknown template or a sender that is no address.
    """
    words = words_of(mail)
    message = EmailMessage(policy=SMTP)
    try:
        message["From"] = _sender(sender)
        _set_recipients(message, mail)
        message["Subject"] = _one_line(words.subject, "subject")[:LONGEST_SUBJECT]
    except (MessageError, ValueError, IndexError) as error:
        raise PermanentError(f"The email's head cannot be written: {error}") from error
    message["Message-ID"] = message_id(idempotency_key, sender)
    message["Date"] = format_datetime(clock.now())
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(clean_text(words.text), cte="quoted-printable")
    if words.html:
        message.add_alternative(clean_text(words.html), subtype="html", cte="quoted-printable")
    return message


def check(mail: Mail, words: Words) -> None:
    """Refuse what ``build`` would refuse, without the cost of writing the message.

    Raises PermanentError for line breaks and bad addresses.
    """
    try:
        for name, value in (("To", mail.to), ("Reply-To", mail.reply_to)):
            _addresses(value, name)
        for name, several in (("Cc", mail.cc), ("Bcc", mail.bcc)):
            _addresses(", ".join(several), name)
        _one_line(words.subject, "subject")
    except (MessageError, ValueError, IndexError) as error:
        raise PermanentError(f"The email's head cannot be written: {error}") from error


def words_of(mail: Mail) -> Words:
    """Return subject and bodies: the given ones, and the template's for what is not given.

    Given text replaces both bodies of a template, or the mail would say two things at once.
    """
    if not mail.template:
        return Words(subject=mail.subject, text=mail.text, html=mail.html)
    shipped = render(mail.template, mail.values)
    own = bool(mail.text or mail.html)
    return Words(
        subject=mail.subject or shipped.subject,
        text=mail.text if own else shipped.text,
        html=mail.html if own else shipped.html,
    )


def render(template: str, values: Mapping[str, str]) -> Words:
    """Return a shipped template filled with ``name`` and ``email``, escaped in the web form.

    Raises ConfigurationError for a name that is none of TEMPLATES: no path is made of user text.
    """
    if template not in TEMPLATES:
        raise ConfigurationError(
            f"There is no email template {template!r}: choose {' or '.join(TEMPLATES)}."
        )
    context = {name: clean_text(values.get(name, "")) for name in ("name", "email")}
    # Plain text is no HTML: escaping there would show &amp; to people.
    plain = {name: mark_safe(" ".join(value.split())) for name, value in context.items()}  # noqa: S308 - goes into plain text only
    return Words(
        subject=render_to_string(f"emails/{template}.subject.txt", plain).strip(),
        text=render_to_string(f"emails/{template}.txt", plain).strip() + "\n",
        html=render_to_string(f"emails/{template}.html", context),
    )


def message_id(idempotency_key: UUID, sender: str) -> str:
    """Return the Message-ID of the mail sent under a key."""
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    return f"<{idempotency_key}@{domain}>"


def _set_recipients(message: EmailMessage, mail: Mail) -> None:
    for name, value in (("To", mail.to), ("Cc", ", ".join(mail.cc)), ("Bcc", ", ".join(mail.bcc))):
        if value:
            message[name] = _addresses(value, name)
    if mail.reply_to:
        message["Reply-To"] = _addresses(mail.reply_to, "Reply-To")


def _addresses(value: str, name: str) -> tuple[Address, ...]:
    found = [part.strip() for part in _one_line(value, name).split(",") if part.strip()]
    return tuple(Address(addr_spec=part) for part in found)


def _sender(sender: str) -> Address:
    name, address = parseaddr(_one_line(sender, "sender"))
    if "@" not in address:
        raise ConfigurationError(f"The sender {sender!r} is no email address: set MAIL_FROM.")
    return Address(display_name=name, addr_spec=address)


def _one_line(text: str, what: str) -> str:
    if "\r" in text or "\n" in text:
        raise PermanentError(f"The email's {what} holds a line break; take it out.")
    return clean_text(text)
