"""The other side of effects: an HTTP service that counts what reaches it, and a mail server."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default as default_policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

from devtools.ports import find_free


@dataclass
class CountingSink:
    """Counts requests by their ``Idempotency-Key`` and by the business key in ``X-Lead``.

    ``calls`` counts every arrival; ``keys`` maps each lead to the idempotency keys it came with: a
    lead with two keys is an effect that happened twice.
    """

    calls: Counter[str] = field(default_factory=Counter)
    keys: dict[str, set[str]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    port: int = 0

    @property
    def url(self) -> str:
        """Return the sink's address."""
        return f"http://127.0.0.1:{self.port}/sink"

    def count(self, key: str, lead: str) -> None:
        """Note one arrival."""
        with self.lock:
            self.calls[key] += 1
            self.keys.setdefault(lead, set()).add(key)


@contextmanager
def counting_sink() -> Iterator[CountingSink]:
    """Serve a sink on a free loopback port."""
    sink = CountingSink()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Answer after the arrival is counted."""
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            sink.count(self.headers.get("Idempotency-Key", ""), self.headers.get("X-Lead", ""))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "11")
            self.end_headers()
            self.wfile.write(b'{"ok":true}')

        def log_message(self, *_arguments: Any) -> None:
            """Stay silent."""

    server = _PatientServer(("127.0.0.1", 0), Handler)
    sink.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _PatientServer(ThreadingHTTPServer):
    """Callers that are killed in the middle of a call are what it is for."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a connection that was cut."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class MailBox:
    """Keeps every mail that a real SMTP conversation delivered."""

    def __init__(self) -> None:
        self.mails: list[Message] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Take one mail in."""
        self.mails.append(message_from_bytes(envelope.content, policy=default_policy))
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[tuple[MailBox, str]]:
    """Run an SMTP server on a free loopback port; give its box and the ``EMAIL_URL`` for it."""
    box = MailBox()
    # aiosmtpd connects to the port it was given: it has to be a real one.
    port = find_free()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box, f"smtp://127.0.0.1:{port}"
    finally:
        controller.stop()
