"""A real SMTP server on loopback that keeps what it is given."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import Any

from aiosmtpd.controller import Controller


class Postbox:
    """Keeps mails, and answers what a recipient's name asks for."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.port = 0

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - aiosmtpd's name
        name = address.split("@")[0]
        if name == "unknown":
            return "550 no such user"
        if name == "full":
            return "452 mailbox full"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's name
        if b"cut the line" in envelope.content:
            server.transport.abort()
        self.mails.append(envelope)
        return "250 kept"


@contextmanager
def post_office(settings, *, auth=None):
    postbox = Postbox()
    options = {"authenticator": auth, "auth_require_tls": False} if auth else {}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        postbox.port = free.getsockname()[1]
    controller = Controller(postbox, hostname="127.0.0.1", port=postbox.port, **options)
    controller.start()
    settings.EMAIL_URL = f"smtp://127.0.0.1:{postbox.port}"
    settings.EGRESS_ALLOW = []
    try:
        yield postbox
    finally:
        controller.stop()
