from __future__ import annotations

import socket
import threading
from contextlib import suppress
from email.message import EmailMessage

import pytest
from aiosmtpd.smtp import AuthResult

from leadsend.lib.egress.smtp import parse_mail_url, send
from leadsend.lib.errors import ConfigurationError, PermanentError, RetryableError
from leadsend.lib.tests.post_office import post_office


def mail(*to, text="Hello"):
    message = EmailMessage()
    message["From"] = "leadsend@example.com"
    message["To"] = ", ".join(to or ["ada@example.com"])
    message["Subject"] = "Grüße"
    message.set_content(text)
    return message


def test_a_mail_arrives_at_the_operators_server(settings):
    with post_office(settings) as postbox:
        refused = send(mail(), settings.EMAIL_URL)

    assert refused == {}
    assert postbox.mails[0].rcpt_tos == ["ada@example.com"]
    assert b"=?utf-8?" in postbox.mails[0].content


def test_another_server_on_the_inside_is_not_called(settings):
    with post_office(settings) as postbox, pytest.raises(PermanentError) as refusal:
        send(mail(), f"smtp://localhost:{postbox.port}")

    assert refusal.value.code == "egress_refused"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0",  # noqa: S104 - a target, not a binding

     "10.0.0.1", "169.254.169.254", "localhost", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"],
)  # fmt: skip
def test_a_server_that_a_user_names_passes_the_guard(host, settings):
    settings.EMAIL_URL = ""

    with pytest.raises(PermanentError) as refusal:
        send(mail(), f"smtp+tls://{host}:587")

    assert refusal.value.code == "egress_refused"


def test_an_unknown_recipient_is_permanent_and_a_full_box_is_not(settings):
    with post_office(settings):
        with pytest.raises(PermanentError, match="550"):
            send(mail("unknown@example.com"), settings.EMAIL_URL)
        with pytest.raises(RetryableError, match="452"):
            send(mail("full@example.com"), settings.EMAIL_URL)


def test_recipients_refused_beside_good_ones_are_told(settings):
    with post_office(settings) as postbox:
        refused = send(mail("ada@example.com", "unknown@example.com"), settings.EMAIL_URL)

    assert refused == {"unknown@example.com": "550 no such user"}
    assert len(postbox.mails) == 1


def test_a_line_cut_after_the_mail_was_handed_over_is_uncertain(settings):
    with post_office(settings), pytest.raises(RetryableError) as error:
        send(mail(text="cut the line"), settings.EMAIL_URL)

    assert error.value.uncertain


def test_a_server_that_is_away_is_retryable_and_certain(settings):
    with post_office(settings):
        url = settings.EMAIL_URL

    with pytest.raises(RetryableError) as error:
        send(mail(), url)
    assert not error.value.uncertain


def test_user_and_password_are_used_and_a_wrong_one_is_a_matter_of_set_up(settings):
    def authenticate(server, session, envelope, mechanism, data):
        known = (data.login, data.password) == (b"me@x", b"p:w")
        return AuthResult(success=known, handled=False)

    with post_office(settings, auth=authenticate) as postbox:
        settings.EMAIL_URL = f"smtp://me%40x:p%3Aw@127.0.0.1:{postbox.port}"
        send(mail(), settings.EMAIL_URL)
        settings.EMAIL_URL = f"smtp://me%40x:wrong@127.0.0.1:{postbox.port}"
        with pytest.raises(ConfigurationError, match="user name or password"):
            send(mail(), settings.EMAIL_URL)

    assert len(postbox.mails) == 1


def test_a_password_does_not_travel_in_plain_text(settings):
    settings.EMAIL_URL = "smtp://me:secret@93.184.216.34:587"

    with pytest.raises(ConfigurationError, match="unencrypted"):
        send(mail(), settings.EMAIL_URL)


@pytest.mark.parametrize(
    "url", ["", "smtp://", "http://a.com", "mail.example.com:25", "smtp://a:x"]
)
def test_an_unreadable_mail_url_is_told_without_repeating_it(url):
    with pytest.raises(ConfigurationError, match="must look like"):
        parse_mail_url(url)


def test_the_usual_port_of_each_form_is_known():
    ports = [parse_mail_url(f"{form}://a.com").port for form in ("smtp", "smtp+tls", "smtps")]

    assert ports == [25, 587, 465]


def test_a_server_that_drips_its_answers_is_cut_off(settings, monkeypatch):
    monkeypatch.setattr("leadsend.lib.egress.smtp.TOTAL_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.EMAIL_URL = f"smtp://127.0.0.1:{server.getsockname()[1]}"
        dripping = threading.Thread(target=_drip, args=[server], daemon=True)
        dripping.start()
        with pytest.raises(RetryableError):
            send(mail(), settings.EMAIL_URL)
        dripping.join(5)

    assert not dripping.is_alive()


def _drip(server):
    connection, _ = server.accept()
    stop = threading.Event()
    with connection, suppress(OSError):
        while not stop.wait(0.02):
            connection.sendall(b"2")
