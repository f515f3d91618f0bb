"""Senders of webhooks as the world has them: signed, retried until accepted, never given up early."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from standardwebhooks import Webhook

from leadsend.lib import clock

GIVE_UP_S = 60.0
OK = {200, 202}


@dataclass
class Sent:
    """What became of what was sent: ids that got a 2xx, and every other answer by its status."""

    accepted: set[str] = field(default_factory=set)
    refused: dict[str, int] = field(default_factory=dict)
    tries: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def send_all(
    url: str,
    secret: str,
    events: Iterable[tuple[str, dict[str, Any]]],
    *,
    per_second: float,
    senders: int = 16,
    sent: Sent | None = None,
) -> Sent:
    """Send ``(webhook id, body)`` pairs at a steady rate; return when each is accepted or given up.

    A sender that gets no 2xx sends the same id again, for a minute, as real senders do.
    """
    sent = sent or Sent()
    started = time.monotonic()
    with ThreadPoolExecutor(senders) as pool:
        for number, (webhook_id, body) in enumerate(events):
            wait_s = started + number / per_second - time.monotonic()
            if wait_s > 0:
                time.sleep(wait_s)
            pool.submit(_send_until_accepted, url, secret, webhook_id, body, sent)
    return sent


def _send_until_accepted(
    url: str, secret: str, webhook_id: str, body: dict[str, Any], sent: Sent
) -> None:
    deadline = time.monotonic() + GIVE_UP_S
    status = 0
    while time.monotonic() < deadline:
        status = post_signed(url, secret, webhook_id, body)
        with sent.lock:
            sent.tries += 1
            if status in OK:
                sent.accepted.add(webhook_id)
                return
        time.sleep(0.3)
    with sent.lock:
        sent.refused[webhook_id] = status


def post_signed(url: str, secret: str, webhook_id: str, body: dict[str, Any]) -> int:
    """Send one signed webhook; return the status, 0 when there was no answer."""
    text = json.dumps(body)
    at = clock.now()
    headers = {
        "content-type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, at, text),
    }
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=10)
    try:
        connection.request("POST", address.path, body=text, headers=headers)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()
