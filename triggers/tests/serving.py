"""Plays requests against the ASGI application, and the plain view, without a server in between."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import orjson
from asgiref.testing import ApplicationCommunicator
from channels.routing import get_default_application
from django.http import HttpResponse
from django.test import RequestFactory

from triggers import hook_server
from triggers.views import receive_hook


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: Any


def ask_all(requests):
    """Send requests at the same time to the real application; return the replies in order."""
    return asyncio.run(_ask_all(requests))


def ask(path, *, method="POST", body=b"", headers=None, query=b"", parts=None):
    """Send one request; ``parts`` are sent as a chunked body, without a length."""
    return ask_all([(path, method, body, headers or {}, query, parts)])[0]


def by_asgi(method, headers, body=b"", address="token-1"):
    """Send one request to the hook server."""
    return ask(f"/hooks/{address}", method=method, body=body, headers=headers)


def by_view(method, headers, body=b"", address="token-1"):
    """Send one request to the plain view."""
    request = RequestFactory().generic(
        method, f"/hooks/{address}", body, content_type="application/json", headers=headers
    )
    reply = receive_hook(request, address)
    assert isinstance(reply, HttpResponse)
    told = {name.lower(): value for name, value in reply.headers.items()}
    return Reply(reply.status_code, told, _content(reply.content, told))


def _content(raw, headers):
    if not raw:
        return None
    is_json = headers.get("content-type", "").startswith("application/json")
    return orjson.loads(raw) if is_json else raw.decode()


async def _ask_all(requests):
    application = get_default_application()
    try:
        return await asyncio.gather(*(_ask(application, *request) for request in requests))
    finally:
        await hook_server.close()


async def _ask(application, path, method, body, headers, query, parts):
    given = {"content-type": "application/json", **headers}
    if parts is None:
        given.setdefault("content-length", str(len(body)))
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query,
        "client": ("192.0.2.7", 5000),
        "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in given.items()],
    }
    talk = ApplicationCommunicator(application, scope)
    chunks = parts if parts is not None else [body]
    for number, chunk in enumerate(chunks, start=1):
        await talk.send_input(
            {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
        )
    start = await talk.receive_output(20)
    end = await talk.receive_output(20)
    await talk.wait()
    answer = {name.decode(): value.decode() for name, value in start["headers"]}
    return Reply(start["status"], answer, _content(end["body"], answer))
