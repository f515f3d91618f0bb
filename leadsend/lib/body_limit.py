"""Cuts off bodies larger than the limit before Django, under ASGI, keeps them on disk."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from leadsend.lib.rest.envelope import envelope

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]


class _TooLarge(Exception):
    """More has arrived than is accepted."""


def limited(application: Callable[..., Awaitable[None]], *, limit_bytes: int) -> Application:
    """Return the ASGI application behind a limit: 413, announced sizes before anything is read."""

    async def serve(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        if _announced(scope) > limit_bytes:
            await _refuse(send, limit_bytes)
            return
        try:
            await application(scope, _counted(receive, limit_bytes), send)
        except _TooLarge:
            # Django reads the whole body before it answers, so nothing was sent yet.
            await _refuse(send, limit_bytes)

    return serve


def _counted(receive: Receive, limit_bytes: int) -> Receive:
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit_bytes:
            raise _TooLarge
        return message

    return counted


def _announced(scope: Any) -> int:
    for name, value in scope["headers"]:
        if name.lower() == b"content-length" and value.isdigit() and len(value) < 20:
            return int(value)
    return 0


async def _refuse(send: Send, limit_bytes: int) -> None:
    message = f"The body is too large; at most {limit_bytes} bytes are accepted."
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    body = json.dumps(envelope("too_large", message)).encode()
    await send({"type": "http.response.body", "body": body})
