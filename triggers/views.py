"""The hook path as a Django view, for servers that are not ASGI."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from leadsend.access.pages import PUBLIC, page
from leadsend.lib import clock
from leadsend.lib.errors import LeadSendError, UnreadableInput
from leadsend.lib.input_guard import MAX_BYTES
from triggers import hooks, run_replies
from triggers.endpoints import Endpoint
from triggers.hooks import HookAnswer, HookRequest
from triggers.joint_commit import JointCommit
from triggers.models import AnswerMode

_commit = JointCommit()


@csrf_exempt  # the sender proves itself by the endpoint's own check
@page(PUBLIC)
def receive_hook(request: HttpRequest, token: str) -> HttpResponse:
    """Answer a webhook; what is answered 2xx is committed."""
    try:
        reply = _reply(request, token)
    except LeadSendError as error:
        reply = hooks.refusal(error)
    response = HttpResponse(reply.body, status=reply.status, content_type=reply.content_type)
    for name, value in reply.headers:
        response[name] = value
    return response


def _reply(request: HttpRequest, token: str) -> HookAnswer:
    asked = HookRequest(
        token=token,
        method=request.method or "",
        headers={name.lower(): value for name, value in request.headers.items()},
        query=request.META.get("QUERY_STRING", ""),
        ip=request.META.get("REMOTE_ADDR", ""),
    )
    endpoint = hooks.endpoint_of(token)
    reply = hooks.preflight(endpoint, asked)
    if reply is not None:
        return reply
    try:
        reply = _accepted(endpoint, asked, request)
    except LeadSendError as error:
        reply = hooks.refused(endpoint, error)
    return hooks.opened_to(endpoint, asked, reply)


def _accepted(endpoint: Endpoint, asked: HookRequest, request: HttpRequest) -> HookAnswer:
    reader = hooks.check_head(endpoint, asked)
    body = _body(request)
    event = hooks.event_of(endpoint, asked, body, reader=reader, now=clock.now())
    reply = hooks.challenge(endpoint, event.data)
    if reply is not None:
        return reply
    accepted = _commit.accept(event)
    hooks.note_repeat(endpoint, accepted)
    if endpoint.answer_mode == AnswerMode.BY_RUN:
        return run_replies.wait(endpoint, accepted.event_id)
    return hooks.answer(accepted)


def _body(request: HttpRequest) -> bytes:
    """Read at most one byte more than is accepted: Django's own limit answers 400."""
    try:
        body = request.read(MAX_BYTES + 1)
    except UnreadablePostError as error:
        raise UnreadableInput("The body broke off.") from error
    hooks.check_size(len(body))
    return body
