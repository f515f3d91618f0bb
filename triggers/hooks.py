"""The hook path without a framework: from a request's parts to an event, and to an answer.

Used in this order: ``endpoint_of`` → ``check_head`` (before the body is read) →
``event_of`` → the inbox → ``answer``; ``refusal`` turns what any of them raises into an answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from leadsend.lib.errors import (
    InputTooLarge,
    LeadSendError,
    NotFound,
    TooManyRequests,
    Unavailable,
)
from leadsend.lib.input_guard import MAX_BYTES, clean_text
from triggers import bodies, endpoints, pressure, signatures
from triggers.endpoints import Endpoint
from triggers.events import Accepted, NewEvent
from triggers.models import AuthMode
from triggers.pacing import Pace
from triggers.refusals import REPEATED, refusals

LONGEST_TOKEN = 64
_ALLOWED_HEADERS = (
    "authorization, content-type, idempotency-key, webhook-id, webhook-signature, webhook-timestamp"
)
# Where known senders put the identity of an event; the first that is there counts.
_KEYS: Mapping[str, Sequence[tuple[str, str]]] = {
    AuthMode.GITHUB: (("header", "x-github-delivery"),),
    AuthMode.SHOPIFY: (("header", "x-shopify-event-id"), ("header", "x-shopify-webhook-id")),
    AuthMode.STRIPE: (("body", "id"),),
    AuthMode.SLACK: (("body", "event_id"),),
}
_pace = Pace()
UNKNOWN = "There is no webhook at this address, or it is switched off."


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRequest:
    """A request but for its body. ``headers`` have lower-case names, of equal ones the last."""

    token: str
    method: str
    headers: Mapping[str, str]
    query: str
    ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HookAnswer:
    """What is sent back: a body, of JSON unless said otherwise, under a status."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Sequence[tuple[str, str]] = field(default=())


class MethodRefusedError(LeadSendError):
    """The endpoint does not accept this kind of request."""

    code = "method_not_allowed"
    http_status = 405

    def __init__(self, message: str, *, allowed: frozenset[str]) -> None:
        super().__init__(message)
        self.allowed = ", ".join(sorted(allowed))


def endpoint_of(token: str) -> Endpoint:
    """Return the endpoint of a token; may query. Raises NotFound, Unavailable."""
    remembered = endpoints.kept(token)
    return known(remembered.endpoint if remembered else load(token))


def load(token: str) -> Endpoint | None:
    """Return the active endpoint of a token from the database. Raises Unavailable."""
    # What cannot be a token is not asked for; NUL would be refused by PostgreSQL.
    if not token.isascii() or not token.isprintable() or len(token) > LONGEST_TOKEN:
        return None
    return endpoints.load(token)


def known(endpoint: Endpoint | None) -> Endpoint:
    """Return the endpoint. Raises NotFound when there is none."""
    if endpoint is None:
        raise NotFound(UNKNOWN)
    return endpoint


def check_head(endpoint: Endpoint, request: HookRequest) -> bodies.Reader:
    """Refuse what can be refused before the body is read; return what will read it.

    Raises MethodRefusedError, InputTooLarge, UnsupportedContentType; TooManyRequests, Unavailable
    when there is no room.
    """
    if request.method not in endpoint.methods:
        raise MethodRefusedError(
            f"This webhook does not accept {clean_text(request.method[:20])}.",
            allowed=endpoint.methods,
        )
    check_size(_declared_length(request.headers), most=endpoint.most_bytes)
    pressure.check(is_full=endpoint.is_full)
    return bodies.reader_for(request.headers.get("content-type", ""))


def check_size(size_bytes: int, *, most: int = MAX_BYTES) -> None:
    """Raise InputTooLarge above ``most`` bytes; for what is declared and for what has arrived."""
    if size_bytes > most:
        raise InputTooLarge(f"The body is larger than {most} bytes, the most that is accepted.")


def preflight(endpoint: Endpoint, request: HookRequest) -> HookAnswer | None:
    """Answer a browser that asks whether a script of another website may send (CORS).

    None for every other request.
    """
    wanted = request.headers.get("access-control-request-method")
    if request.method != "OPTIONS" or not wanted or not _allowed_origin(endpoint, request):
        return None
    headers = (
        ("access-control-allow-methods", ", ".join(sorted(endpoint.methods))),
        ("access-control-allow-headers", _ALLOWED_HEADERS),
        ("access-control-max-age", "600"),
    )
    return opened_to(endpoint, request, HookAnswer(status=204, body=b"", headers=headers))


def opened_to(endpoint: Endpoint, request: HookRequest, said: HookAnswer) -> HookAnswer:
    """Return the answer so that scripts of the websites that the endpoint names can read it."""
    if not endpoint.origins:
        return said
    origin = _allowed_origin(endpoint, request)
    allowed = [("access-control-allow-origin", origin)] if origin else []
    return replace(said, headers=(*said.headers, ("vary", "Origin"), *allowed))


def challenge(endpoint: Endpoint, data: Any) -> HookAnswer | None:
    """Answer Slack, which asks once whether an address is its owner's; None for all else."""
    if endpoint.auth_mode != AuthMode.SLACK or not isinstance(data, Mapping):
        return None
    if data.get("type") != "url_verification" or not isinstance(data.get("challenge"), str):
        return None
    return HookAnswer(status=200, body=orjson.dumps({"challenge": data["challenge"]}))


def event_of(
    endpoint: Endpoint, request: HookRequest, body: bytes, *, reader: bodies.Reader, now: datetime
) -> NewEvent:
    """Return the event that a request stands for, once its sender has proven itself.

    Raises SignatureRefused, TooManyRequests and InputTooLarge before the body is parsed,
    UnreadableInput after.
    """
    signatures.verify(
        mode=endpoint.auth_mode,
        cfg=endpoint.auth_cfg,
        secrets_now=endpoint.secrets_at(now),
        headers=request.headers,
        body=body,
        now=now,
    )
    if endpoint.per_minute:
        # After the proof: who has none must not use up what the sender may send.
        _check_pace(endpoint)
    check_size(len(body), most=endpoint.most_bytes)
    data = bodies.read(reader, body, request.headers.get("content-type", ""))
    return NewEvent(
        project_id=endpoint.project_id,
        trigger_key=endpoint.trigger_key,
        trigger_type="webhook",
        source=f"webhook:{endpoint.id}",
        data=data,
        request=_root(endpoint, request),
        dedupe_key=_event_key(endpoint, request, data),
    )


def answer(accepted: Accepted) -> HookAnswer:
    """Return 202 for an event that was stored now, 200 with the first answer for a repeated one."""
    status = 200 if accepted.is_repeat else 202
    return HookAnswer(status=status, body=orjson.dumps(dict(accepted.answer)))


def refused(endpoint: Endpoint, error: LeadSendError) -> HookAnswer:
    """Return the refusal, and note it for the endpoint's owner."""
    refusals.note(
        endpoint_id=endpoint.id,
        project_id=endpoint.project_id,
        status=error.http_status,
        code=error.code,
        message=error.message,
    )
    return refusal(error)


def note_repeat(endpoint: Endpoint, accepted: Accepted) -> None:
    """Note that an event had come before and started nothing this time."""
    if accepted.is_repeat:
        refusals.note(
            endpoint_id=endpoint.id,
            project_id=endpoint.project_id,
            status=200,
            code=REPEATED,
            message="An event with the same key came before: it was answered as the first one.",
            event_id=accepted.event_id,
        )


def refusal(error: LeadSendError) -> HookAnswer:
    """Return the error in the one envelope, with Retry-After or Allow where they belong."""
    headers: list[tuple[str, str]] = []
    if isinstance(error, Unavailable | TooManyRequests):
        headers.append(("retry-after", str(error.retry_after_s)))
    if isinstance(error, MethodRefusedError):
        headers.append(("allow", error.allowed))
    envelope = {
        "code": error.code,
        "message": error.message,
        "problems": [problem.as_json() for problem in error.problems],
    }
    return HookAnswer(status=error.http_status, body=orjson.dumps(envelope), headers=headers)


def _check_pace(endpoint: Endpoint) -> None:
    wait_s = _pace.wait_s(str(endpoint.id), per_minute=endpoint.per_minute or 1)
    if wait_s:
        raise TooManyRequests(
            f"This webhook takes {endpoint.per_minute} events a minute: send it again later.",
            code="rate_limited",
            retry_after_s=math.ceil(wait_s),
        )


def _allowed_origin(endpoint: Endpoint, request: HookRequest) -> str:
    origin = request.headers.get("origin", "")
    if origin and "*" in endpoint.origins:
        return "*"
    return origin if origin in endpoint.origins else ""


def _declared_length(headers: Mapping[str, str]) -> int:
    declared = headers.get("content-length", "")
    return int(declared[:20]) if declared.isascii() and declared.isdigit() else 0


def _root(endpoint: Endpoint, request: HookRequest) -> dict[str, Any]:
    """Return the root ``request`` of expressions, without what proves the sender."""
    hidden = signatures.proof_headers(endpoint.auth_mode, endpoint.auth_cfg)
    headers = {
        clean_text(name): clean_text(value)
        for name, value in request.headers.items()
        if name not in hidden
    }
    return {
        "method": request.method,
        "headers": headers,
        "query": bodies.fields_of(request.query),
        "ip": request.ip,
    }


def _event_key(endpoint: Endpoint, request: HookRequest, data: Mapping[str, Any]) -> str | None:
    kind, _, where = endpoint.event_key_template.partition(":")
    if kind == "body":
        return bodies.value_at(data, where) or None
    if endpoint.auth_mode == AuthMode.STANDARD_WEBHOOKS:
        # The only header that is signed: any other could be changed to play the request again.
        return request.headers.get("webhook-id")
    if kind == "header":
        return request.headers.get(where.lower()) or None
    if endpoint.auth_mode in _KEYS:
        return _key_of_sender(_KEYS[endpoint.auth_mode], request, data)
    return request.headers.get("webhook-id") or request.headers.get("idempotency-key") or None


def _key_of_sender(
    places: Sequence[tuple[str, str]], request: HookRequest, data: Mapping[str, Any]
) -> str | None:
    for kind, where in places:
        found = request.headers.get(where) if kind == "header" else bodies.value_at(data, where)
        if found:
            return found
    return None
