"""Sends one mail to an SMTP server; blocks, so call it in a thread."""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from django.conf import settings

from leadsend.lib.egress.addresses import Address
from leadsend.lib.egress.configured import check_host, egress_policy
from leadsend.lib.egress.policy import Opening, Policy
from leadsend.lib.errors import ActionError, ConfigurationError, PermanentError, RetryableError

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 30.0
# A server that drips answers, each within its time, is cut off here.
TOTAL_TIMEOUT_S = 120.0
MAIL_PORTS = frozenset({25, 465, 587, 2525})

_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """What a mail URL says: ``smtp://`` plain, ``smtp+tls://`` STARTTLS, ``smtps://`` TLS."""

    scheme: str
    host: str
    port: int
    user: str
    password: str


def send(message: EmailMessage, url: str) -> dict[str, str]:
    """Send the mail; return the refused recipients (``{address: reason}``) if others got it.

    The server of ``EMAIL_URL`` is the operator's own choice and is called wherever it stands; any
    other one goes through the egress guard. Raises ConfigurationError for an unreadable URL,
    PermanentError when the server refuses, RetryableError when it cannot be reached or asks to
    come back, ``uncertain`` when the connection broke after the mail was handed over.
    """
    server = parse_mail_url(url)
    addresses = check_host(server.host, server.port, policy=_policy(server, url))
    _check_plain_text(server, addresses)
    started = False
    try:
        with _connect(server, addresses[0]) as session:
            if server.user:
                session.login(server.user, server.password)
            started = True
            refused = session.send_message(message)
    except (smtplib.SMTPException, OSError) as error:
        raise _translated(error, server, handed_over=started) from error
    return {address: _reason(*answer) for address, answer in refused.items()}


def parse_mail_url(url: str) -> MailServer:
    """Return the parts of a mail URL. Raises ConfigurationError that does not repeat the URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _unreadable() from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise _unreadable()
    return MailServer(
        scheme=parts.scheme,
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def _policy(server: MailServer, url: str) -> Policy:
    policy = egress_policy()
    if url == settings.EMAIL_URL:
        return Policy(openings=(Opening(host=server.host, port=server.port),))
    return Policy(openings=policy.openings, ports=policy.ports | MAIL_PORTS)


def _check_plain_text(server: MailServer, addresses: list[Address]) -> None:
    if server.user and server.scheme == "smtp" and not addresses[0].is_loopback:
        raise ConfigurationError(
            "The mail server's password would travel unencrypted: use smtp+tls:// or smtps://."
        )


def _connect(server: MailServer, address: Address) -> smtplib.SMTP:
    if server.scheme == "smtps":
        return _TlsSession(server, address)
    session = _Session(server, address)
    if server.scheme == "smtp+tls":
        with ExitStack() as stack:
            stack.callback(session.close)
            session.starttls(context=ssl.create_default_context())
            stack.pop_all()
    return session


class _Session(smtplib.SMTP):
    """Connects to the checked address; the name stays what certificates are compared with."""

    def __init__(self, server: MailServer, address: Address) -> None:
        self._address = str(address)
        self._deadline: threading.Timer | None = None
        super().__init__(server.host, server.port, timeout=ANSWER_TIMEOUT_S)

    def close(self) -> None:
        """Close the connection, and stop waiting for its end."""
        if self._deadline is not None:
            self._deadline.cancel()
        super().close()

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        opened = self._open(host, port, timeout)
        self._deadline = threading.Timer(TOTAL_TIMEOUT_S, _cut, [opened])
        self._deadline.daemon = True
        self._deadline.start()
        return opened

    def _open(self, host: str, port: int, timeout: float) -> socket.socket:
        opened = socket.create_connection((self._address, port), CONNECT_TIMEOUT_S)
        opened.settimeout(timeout)
        return opened


class _TlsSession(_Session):
    def _open(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = super()._open(host, port, timeout)
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)


def _cut(opened: socket.socket) -> None:
    with suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)


def _translated(error: Exception, server: MailServer, *, handed_over: bool) -> ActionError:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, reason = next(iter(error.recipients.values()))
        return _answered(code, f"The mail server refuses the recipient: {_reason(code, reason)}")
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return ConfigurationError("The mail server refuses the user name or password.")
    if isinstance(error, smtplib.SMTPResponseException):
        said = _reason(error.smtp_code, error.smtp_error)
        return _answered(error.smtp_code, f"The mail server answers: {said}")
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConfigurationError(f"The certificate of the mail server {server.host} is not valid.")
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return ConfigurationError(f"The mail server {server.host} lacks what is needed: {error}")
    return RetryableError(
        f"The mail server {server.host} cannot be reached, or broke off.",
        code="unreachable",
        uncertain=handed_over,
    )


def _answered(code: int, message: str) -> ActionError:
    if 500 <= code < 600:
        return PermanentError(message, code="mail_refused")
    return RetryableError(message, code="mail_refused")


def _reason(code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return f"{code} {text}"[:300]


def _unreadable() -> ConfigurationError:
    return ConfigurationError(
        "The mail server's address must look like smtp://host:port, smtp+tls:// or smtps://."
    )
