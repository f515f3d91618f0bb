"""The pages of hosted forms: anybody may open one, fill it in and send it, also without scripts.

What is answered with thanks is committed. A sender proves nothing, so what is sent is never more
than an event: it is limited by address, and what a trap catches is kept apart.
"""

from __future__ import annotations

import math
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import orjson
from django import forms
from django.db import InterfaceError, InternalError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from leadsend.access.pages import PUBLIC, page
from leadsend.lib.errors import LeadSendError, TooManyRequests, Unavailable
from leadsend.lib.headers import CONTENT_SECURITY_POLICY
from leadsend.lib.input_guard import clean_text
from triggers import form_fields, hosted_forms, pressure, setting_aside
from triggers.events import NewEvent
from triggers.inbox import AWAY
from triggers.joint_commit import JointCommit
from triggers.models import HostedForm
from triggers.pacing import Pace

PER_MINUTE: Final = 10
_LONGEST_SEND_ID: Final = 64
_commit = JointCommit()
_pace = Pace()


@csrf_exempt  # nobody is signed in here, and embedded forms get no cookie
@xframe_options_exempt  # frame-ancestors says who may
@page(PUBLIC)
@require_http_methods(["GET", "HEAD", "POST"])
def form_page(request: HttpRequest, token: str) -> HttpResponse:
    """Show a form, or take what was filled in."""
    try:
        row = _found(token)
    except Unavailable as error:
        return _away(request, error)
    if request.method == "POST":
        return _guarded(row, _sent(request, row))
    query = {name: str(value) for name, value in request.GET.items()}
    form = form_fields.form_class(row.cfg)(initial=form_fields.first_values(row.cfg, query))
    return _guarded(row, _shown(request, row, form))


@xframe_options_exempt
@page(PUBLIC)
@require_safe
def thanks_page(request: HttpRequest, token: str) -> HttpResponse:
    """Say that what was sent has arrived."""
    try:
        row = _found(token)
    except Unavailable as error:
        return _away(request, error)
    return _guarded(row, render(request, "triggers/form_thanks.html", {"cfg": row.cfg}))


def _found(token: str) -> HostedForm:
    try:
        row = hosted_forms.find(token)
    except (OperationalError, InterfaceError, InternalError) as error:
        raise Unavailable(AWAY) from error
    if row is None:
        raise Http404("There is no form at this address, or it is closed.")
    return row


def _away(request: HttpRequest, error: Unavailable) -> HttpResponse:
    response = render(request, "triggers/form_away.html", status=error.http_status)
    response["Retry-After"] = str(error.retry_after_s)
    return response


def _sent(request: HttpRequest, row: HostedForm) -> HttpResponse:
    form = form_fields.form_class(row.cfg)(request.POST)
    try:
        _check_pace(request, row)
        if not form.is_valid():
            return _shown(request, row, form, status=400)
        _accept(request, row, form)
    except LeadSendError as error:
        form.add_error(None, _in_words(error))
        response = _shown(request, row, form, status=error.http_status)
        if isinstance(error, TooManyRequests | Unavailable):
            response["Retry-After"] = str(error.retry_after_s)
        return response
    return redirect(row.cfg.get("redirect") or reverse("form_thanks", args=[row.token]))


def _accept(request: HttpRequest, row: HostedForm, form: forms.Form) -> None:
    """Store what was sent; return when it is committed. Raises Unavailable, TooManyRequests."""
    data = form_fields.data_of(form)
    event = NewEvent(
        project_id=row.project_id,
        trigger_key="form",
        trigger_type="form",
        source=row.source,
        data=data,
        request=_request_of(request),
        dedupe_key=_event_key(request, data),
    )
    if request.POST.get(form_fields.TRAP):
        setting_aside.set_aside(
            event,
            code="spam",
            reason="A field was filled in that people do not see, so a program sent this.",
        )
        return
    pressure.check(is_full=pressure.is_queue_full(row.workflow_id, row.source))
    _commit.accept(event)


def _check_pace(request: HttpRequest, row: HostedForm) -> None:
    address = request.META.get("REMOTE_ADDR", "")
    wait_s = _pace.wait_s(f"{row.pk} {address}", per_minute=row.cfg.get("per_minute") or PER_MINUTE)
    if wait_s:
        raise TooManyRequests(
            "Too much was sent from this address.", retry_after_s=math.ceil(wait_s)
        )


def _event_key(request: HttpRequest, data: dict[str, Any]) -> str | None:
    """Return the identity of what was sent: the same answers from one opened page count once.

    Two people may get a page from one cache, and one may go back and send another lead: the page
    alone says too little, the answers alone as well.
    """
    opened = request.POST.get(form_fields.SEND_ID, "")[:_LONGEST_SEND_ID]
    if not opened:
        return None
    answers = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    return sha256(clean_text(opened).encode() + b"\0" + answers).hexdigest()


def _request_of(request: HttpRequest) -> dict[str, Any]:
    """Return the root ``request`` of expressions: of the headers only what tells of the sender."""
    told = ("user-agent", "referer", "accept-language")
    headers = {name: clean_text(request.headers[name]) for name in told if name in request.headers}
    query = {name: clean_text(str(value)) for name, value in request.GET.items()}
    ip = request.META.get("REMOTE_ADDR", "")
    return {"method": "POST", "headers": headers, "query": query, "ip": ip}


def _in_words(error: LeadSendError) -> str:
    if isinstance(error, TooManyRequests):
        return _("A lot was sent just now. Wait a minute, then send it again: nothing is lost.")
    if isinstance(error, Unavailable):
        return _("It could not be saved just now. Send it again in a minute: nothing is lost.")
    return error.message


def _shown(
    request: HttpRequest, row: HostedForm, form: forms.Form, *, status: int = 200
) -> HttpResponse:
    context = {
        "cfg": row.cfg,
        "form": form,
        "trap": form_fields.TRAP,
        "send_id_name": form_fields.SEND_ID,
        "send_id": request.POST.get(form_fields.SEND_ID, "")[:_LONGEST_SEND_ID] or str(uuid4()),
    }
    response = render(request, "triggers/form.html", context, status=status)
    # Each opened page has an id of its own, and what was filled in is nobody else's.
    response["Cache-Control"] = "no-store"
    return response


def _guarded(row: HostedForm, response: HttpResponse) -> HttpResponse:
    """Say who may frame the page, and where its form may lead."""
    policy = CONTENT_SECURITY_POLICY
    if frames := row.cfg.get("frames"):
        allowed = f"frame-ancestors 'self' {' '.join(frames)}"
        policy = policy.replace("frame-ancestors 'none'", allowed)
    if target := row.cfg.get("redirect"):
        # Browsers hold the page that a form's answer leads to against the policy as well.
        parts = urlsplit(target)
        origin = f"{parts.scheme}://{parts.netloc}"
        policy = policy.replace("form-action 'self'", f"form-action 'self' {origin}")
    response["Content-Security-Policy"] = policy
    return response
