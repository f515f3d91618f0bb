"""Mails as they were sent, or kept instead of sent."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET

from leadsend.access import policy
from leadsend.access.pages import page
from leadsend.lib.errors import NotFound
from leadsend.lib.keyset import keyset_page
from runtime.models import OutboxMail

# What a mail may do in its frame: be looked at. No script, no form, no picture from elsewhere.
_MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
)


@page("mail.read")
@require_GET
def mail_list(request: HttpRequest) -> HttpResponse:
    """All mails the user sees, newest first; ``?q=`` searches address and subject."""
    rows = _visible(request)
    text = request.GET.get("q", "").replace("\0", "").strip()
    if text:
        rows = rows.filter(to__icontains=text) | rows.filter(subject__icontains=text)
    context = {"page": keyset_page(rows, request.GET), "q": text}
    return render(request, "runtime/outbox.html", context)


@page("mail.read")
@require_GET
def mail_page(request: HttpRequest, mail_id: UUID) -> HttpResponse:
    """One mail: as it looks, and as text."""
    return render(request, "runtime/mail.html", {"mail": _find(request, mail_id)})


@page("mail.read")
@xframe_options_sameorigin
@require_GET
def mail_html(request: HttpRequest, mail_id: UUID) -> HttpResponse:
    """The HTML of one mail, for a frame that lets it do nothing."""
    response = HttpResponse(_find(request, mail_id).html)
    response["Content-Security-Policy"] = _MAIL_POLICY
    return response


def _visible(request: HttpRequest) -> Any:
    return OutboxMail.objects.visible_to(request.user)


def _find(request: HttpRequest, mail_id: UUID) -> OutboxMail:
    mail: OutboxMail | None = _visible(request).filter(pk=mail_id).first()
    if mail is None:
        raise NotFound("There is no such mail.")
    policy.require(request.user, "mail.read", mail.project_id)
    return mail
