from __future__ import annotations

import pytest

from leadsend.lib.errors import ConfigurationError, PermanentError
from registry.actions.email_send import EMAIL_SEND
from registry.sdk.action import Contact
from registry.sdk.faking import FakeContext, run_action


def test_a_template_alone_goes_to_the_contact():
    ctx = FakeContext()

    output = run_action(EMAIL_SEND, {"template": "welcome"}, ctx)

    mail = ctx.mail.mails[0]
    assert (mail.to, mail.template) == ("ada@example.com", "welcome")
    assert mail.values == {"name": "Ada Byron", "email": "ada@example.com"}
    assert output == {"to": ["ada@example.com"], "message_id": "<1@example.com>", "mode": "outbox"}


def test_own_words_and_several_recipients_are_passed_on():
    ctx = FakeContext()
    inputs = {
        "to": "Ben <ben@x.com>, cy@x.com",
        "subject": "Grüße",
        "text": "Hi",
        "cc": "dev@x.com",
        "bcc": "",
        "reply_to": "Sales <sales@x.com>",
    }

    run_action(EMAIL_SEND, inputs, ctx)

    mail = ctx.mail.mails[0]
    assert (mail.to, mail.cc, mail.bcc) == ("ben@x.com, cy@x.com", ("dev@x.com",), ())
    assert (mail.subject, mail.text, mail.reply_to) == ("Grüße", "Hi", "sales@x.com")


def test_without_anybody_to_write_to_it_fails_for_good():
    with pytest.raises(PermanentError, match="nobody to write to"):
        run_action(EMAIL_SEND, {"template": "welcome"}, FakeContext(contact=Contact()))


def test_without_template_and_words_it_says_what_is_missing():
    with pytest.raises(ConfigurationError, match="template"):
        run_action(EMAIL_SEND, {"subject": "only"})


@pytest.mark.parametrize(
    "inputs",
    [
        {"to": "nobody"},
        {"to": "a@b.com\r\nBcc: eve@x.com"},
        {"to": "a@b.com\n"},
        {"to": "a b@c.com"},
        {"to": "a@b.com>, <x"},
        {"cc": "a@b.com\r\nX: y"},
        {"bcc": "none"},
        {"reply_to": "a@b@c"},
        {"to": ", ".join(f"a{n}@b.com" for n in range(60))},
        {"subject": "Hi\r\nBcc: eve@x.com", "text": "x"},
    ],
)
def test_bad_addresses_and_line_breaks_are_refused(inputs):
    with pytest.raises(PermanentError):
        run_action(EMAIL_SEND, {"template": "welcome", **inputs})
