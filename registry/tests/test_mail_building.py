"""What leadsend.lib.mail makes of the SDK's Mail (the SDK is above it, so the test is here)."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default
from uuid import UUID

import pytest

from leadsend.lib.egress.smtp import send
from leadsend.lib.errors import ConfigurationError, PermanentError
from leadsend.lib.mail import TEMPLATES, build, render
from leadsend.lib.tests.post_office import post_office
from registry.sdk.action import Mail

KEY = UUID("01890000-0000-5000-8000-000000000004")
SENDER = "LeadSend <leadsend@example.com>"


def built(**fields):
    mail = Mail(**{"to": "ada@example.com", "subject": "Hi", "text": "Hello", **fields})
    return build(mail, idempotency_key=KEY, sender=SENDER)


def part(message, kind):
    found = message.get_body((kind,))
    assert found is not None
    return found.get_content()


def test_the_message_number_is_the_idempotency_key():
    assert built()["Message-ID"] == f"<{KEY}@example.com>"


def test_a_message_survives_the_wire():
    message = built(
        subject="Grüße 🎉",
        text="Zeile\nzwei ü",
        html="<p>ü</p>",
        cc=("b@x.com",),
        reply_to="c@x.com",
    )

    arrived = message_from_bytes(bytes(message), policy=default)

    assert arrived["Subject"] == "Grüße 🎉"
    assert (arrived["To"], arrived["Cc"], arrived["Reply-To"]) == (
        "ada@example.com",
        "b@x.com",
        "c@x.com",
    )
    assert part(arrived, "plain").split("\r\n") == ["Zeile", "zwei ü", ""]
    assert "<p>ü</p>" in part(arrived, "html")


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_fills_what_is_not_given(template):
    message = built(template=template, subject="", text="", values={"name": "Ada", "email": "a@b"})

    assert "Ada" in message["Subject"]
    assert "Hello Ada," in part(message, "plain")
    assert "Hello Ada," in part(message, "html")


def test_given_words_replace_those_of_the_template():
    message = built(template="welcome", subject="", text="Own words", values={"name": "Ada"})

    assert message["Subject"] == "Welcome, Ada"
    assert message.get_content() == "Own words\n"
    assert not message.is_multipart()


def test_names_are_escaped_in_the_web_form_and_only_there():
    words = render("welcome", {"name": '<b>Tom & "Jerry"</b>\r\n{{ 7 }}'})

    assert "&lt;b&gt;Tom &amp;" in words.html
    assert '<b>Tom & "Jerry"</b> {{ 7 }}' in words.text
    assert "\n" not in words.subject


def test_without_a_name_the_template_still_reads_well():
    words = render("welcome", {})

    assert words.subject == "Welcome"
    assert words.text.startswith("Hello,\n")


@pytest.mark.parametrize(
    "fields",
    [
        {"subject": "Hi\r\nBcc: eve@x.com"},
        {"to": "a@b.com\nBcc: eve@x.com"},
        {"cc": ("a@b.com\r\nX: y",)},
        {"reply_to": "a@b.com\nX: y"},
        {"to": "no address"},
        {"to": "a@b@c"},
    ],
)
def test_line_breaks_and_bad_addresses_are_refused(fields):
    with pytest.raises(PermanentError):
        built(**fields)


def test_odd_characters_do_not_break_a_message():
    message = built(text="a\x00b\ud800", subject="x\x00\ud800")

    assert "\x00" not in bytes(message).decode("utf-8")


@pytest.mark.parametrize("template", ["../settings", "nonsense", "welcome.html"])
def test_only_shipped_templates_exist(template):
    with pytest.raises(ConfigurationError):
        built(template=template)


def test_a_sender_that_is_no_address_is_a_matter_of_set_up():
    with pytest.raises(ConfigurationError, match="MAIL_FROM"):
        build(Mail(to="a@b.com", subject="x", text="y"), idempotency_key=KEY, sender="nobody")


def test_a_built_mail_arrives_at_a_real_server_and_keeps_hidden_copies_hidden(settings):
    with post_office(settings) as postbox:
        send(built(template="welcome", bcc=("dev@x.com",)), settings.EMAIL_URL)

    envelope = postbox.mails[0]
    assert envelope.rcpt_tos == ["ada@example.com", "dev@x.com"]
    assert f"Message-ID: <{KEY}@example.com>".encode() in envelope.content
    assert b"dev@x.com" not in envelope.content
