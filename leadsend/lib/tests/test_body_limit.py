"""Bodies beyond the limit are answered 413 and not kept."""

from __future__ import annotations

import asyncio
import json

import pytest

from leadsend.lib.body_limit import limited

LIMIT = 100


@pytest.mark.parametrize(
    ("announced", "parts", "status", "read"),
    [
        (b"100", [b"x" * 100], 200, 100),
        (b"101", [b"x" * 101], 413, 0),
        (None, [b"x" * 60, b"x" * 40], 200, 100),
        (None, [b"x" * 60, b"x" * 41, b"x" * 1000], 413, 60),
        (b"5", [b"x" * 60, b"x" * 60], 413, 60),
        (b"9" * 40, [b"x"], 200, 1),
        (b"-1", [b"x"], 200, 1),
        (b"", [], 200, 0),
    ],
)
def test_only_bodies_within_the_limit_pass(announced, parts, status, read):
    headers = [] if announced is None else [(b"Content-Length", announced)]

    sent, taken = asyncio.run(_serve({"type": "http", "headers": headers}, parts))

    assert sent[0]["status"] == status
    assert taken == read
    if status == 413:
        assert json.loads(sent[1]["body"])["code"] == "too_large"


def test_other_connections_pass_untouched():
    sent, taken = asyncio.run(_serve({"type": "websocket"}, [b"x" * 500]))

    assert (sent[0]["status"], taken) == (200, 500)


async def _serve(scope, parts):
    sent, left, taken = [], list(parts), 0

    async def receive():
        body = left.pop(0) if left else b""
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    async def send(message):
        sent.append(message)

    async def application(scope, receive, send):
        nonlocal taken
        more = True
        while more:
            message = await receive()
            taken += len(message["body"])
            more = message["more_body"]
        await send({"status": 200})

    await limited(application, limit_bytes=LIMIT)(scope, receive, send)
    return sent, taken
