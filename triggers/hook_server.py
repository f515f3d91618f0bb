"""The hook path for ASGI: ahead of Django's handler, with one group commit for the process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import IO, Any
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.db import close_old_connections

from leadsend.lib import clock
from leadsend.lib.errors import LeadSendError, Unavailable
from leadsend.lib.payloads import INLINE_LIMIT
from triggers import endpoints, hooks, large_bodies, run_replies
from triggers.endpoints import Endpoint
from triggers.events import Accepted, NewEvent
from triggers.group_commit import GroupCommit
from triggers.hooks import HookAnswer, HookRequest
from triggers.inbox import AWAY
from triggers.models import AnswerMode

PREFIX = "/hooks/"
BODY_TIMEOUT_S = 30
# Senders give up after 5 s; the pool waits 10 s for a database that is away.
LOOKUP_TIMEOUT_S = 3
_NO_CONTENT = 204

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_searches: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Task[Endpoint | None]] = {}
_commits: WeakKeyDictionary[asyncio.AbstractEventLoop, GroupCommit] = WeakKeyDictionary()


class SlowBodyError(LeadSendError):
    """The body did not arrive within the time limit."""

    code = "body_timeout"
    http_status = 408


class ClientLeft(Exception):
    """The client went away before its body was complete."""


async def serve_hook(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request below ``/hooks/``; what is answered 2xx is committed."""
    try:
        reply = await _reply(scope, receive)
    except ClientLeft:
        return
    except LeadSendError as error:
        reply = hooks.refusal(error)
    await _send(reply, send)


async def accept(event: NewEvent, *, size_bytes: int = 0) -> Accepted:
    """Store an event in the next group commit of this event loop. Raises as GroupCommit does."""
    loop = asyncio.get_running_loop()
    commit = _commits.get(loop)
    if commit is None:
        commit = _commits[loop] = GroupCommit()
    return await commit.accept(event, size_bytes=size_bytes)


async def close() -> None:
    """Finish what was handed in and close this event loop's connections."""
    commit = _commits.pop(asyncio.get_running_loop(), None)
    if commit is not None:
        await commit.close()


async def _reply(scope: Scope, receive: Receive) -> HookAnswer:
    request = _request(scope)
    endpoint = await _find(request.token)
    reply = hooks.preflight(endpoint, request)
    if reply is not None:
        return reply
    try:
        reply = await _accepted(endpoint, request, receive)
    except LeadSendError as error:
        reply = hooks.refused(endpoint, error)
    return hooks.opened_to(endpoint, request, reply)


async def _accepted(endpoint: Endpoint, request: HookRequest, receive: Receive) -> HookAnswer:
    reader = hooks.check_head(endpoint, request)
    body = await _body(receive)
    if not isinstance(body, bytes):
        with body:
            event = await large_bodies.event_of(endpoint, request, body, reader=reader)
        return await _answered(endpoint, await accept(event))
    event = hooks.event_of(endpoint, request, body, reader=reader, now=clock.now())
    reply = hooks.challenge(endpoint, event.data)
    if reply is not None:
        return reply
    if len(body) > large_bodies.SURELY_SMALL:
        event = await large_bodies.offloaded(event)
    return await _answered(endpoint, await accept(event, size_bytes=len(body)))


async def _answered(endpoint: Endpoint, accepted: Accepted) -> HookAnswer:
    hooks.note_repeat(endpoint, accepted)
    if endpoint.answer_mode == AnswerMode.AT_ONCE:
        return hooks.answer(accepted)
    return await run_replies.wait_async(endpoint, accepted.event_id)


async def _find(token: str) -> Endpoint:
    """Return the endpoint of a token; however many ask at once, one thread looks it up."""
    remembered = endpoints.kept(token)
    if remembered is not None:
        return hooks.known(remembered.endpoint)
    key = (asyncio.get_running_loop(), token)
    search = _searches.get(key)
    if search is None:
        search = _searches[key] = asyncio.create_task(_load(token))
        search.add_done_callback(lambda _: _searches.pop(key, None))
    try:
        async with asyncio.timeout(LOOKUP_TIMEOUT_S):
            # One client that leaves must not end the search of the others.
            return hooks.known(await asyncio.shield(search))
    except TimeoutError as error:
        raise Unavailable(AWAY) from error


async def _load(token: str) -> Endpoint | None:
    return await sync_to_async(_load_in_thread, thread_sensitive=False)(token)


def _load_in_thread(token: str) -> Endpoint | None:
    try:
        return hooks.load(token)
    finally:
        # No request of Django's ends here, so nobody else gives the connection back.
        close_old_connections()


def _request(scope: Scope) -> HookRequest:
    client = scope.get("client") or ("",)
    return HookRequest(
        token=scope["path"].removeprefix(PREFIX).rstrip("/"),
        method=scope["method"],
        headers=_headers(scope["headers"]),
        query=scope.get("query_string", b"").decode("latin-1"),
        ip=str(client[0]),
    )


def _headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in pairs}


async def _body(receive: Receive) -> bytes | IO[bytes]:
    """Read the whole body, counted while it arrives: chunked ones declare no length.

    A large one is a file on disk, so that many at once take no memory.
    """
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await _all_parts(receive)
    except TimeoutError as error:
        raise SlowBodyError(
            f"The body did not arrive within {BODY_TIMEOUT_S} seconds: send it again."
        ) from error


async def _all_parts(receive: Receive) -> bytes | IO[bytes]:
    parts: list[bytes] = []
    size = 0
    file: IO[bytes] | None = None
    try:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            part = message.get("body", b"")
            size += len(part)
            hooks.check_size(size)
            parts.append(part)
            if size > INLINE_LIMIT:
                file = file or large_bodies.spool()
                file.write(b"".join(parts))
                parts.clear()
            if not message.get("more_body", False):
                return file or b"".join(parts)
    except BaseException:
        if file is not None:
            file.close()
        raise


async def _send(reply: HookAnswer, send: Send) -> None:
    # 204 has neither content nor a length of it (RFC 9110, 8.6).
    of_body = [
        (b"content-type", reply.content_type.encode()),
        (b"content-length", str(len(reply.body)).encode()),
    ]
    headers = [
        *(of_body if reply.status != _NO_CONTENT else ()),
        (b"x-content-type-options", b"nosniff"),
        *((name.encode(), value.encode()) for name, value in reply.headers),
    ]
    if reply.status in {408, 413}:
        # The rest of the body is not read, so the connection cannot be used again.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
