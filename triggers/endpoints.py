"""Webhook endpoints as the accept path knows them: looked up by token, kept for a few seconds."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError, transaction

from credentials import vault
from leadsend.lib import clock
from leadsend.lib.errors import Unavailable
from leadsend.lib.input_guard import MAX_BYTES
from leadsend.lib.redaction import forgetting_secrets
from triggers import pressure
from triggers.inbox import AWAY
from triggers.models import AnswerMode, AuthMode, Subscription, WebhookEndpoint
from triggers.signatures import check_secret, new_secret
from workflows.models import Workflow

KEPT_S = 3.0
MOST_KEPT = 10_000
_TOKEN_BYTES = 24
# How long the secret before the newest one stays good after a rotation.
OVERLAP = timedelta(hours=24)

SECRET = "sealed_secret"  # noqa: S105 - a column's name
PREVIOUS = "sealed_previous_secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What has to be known of an endpoint to answer a request.

    ``is_full``: as much of its workflow waited as may, when it was looked up.
    """

    id: UUID
    project_id: UUID
    trigger_key: str
    methods: frozenset[str]
    auth_mode: str
    auth_cfg: Mapping[str, Any]
    secret: str
    previous_secret: str
    previous_valid_until: datetime | None
    event_key_template: str
    origins: frozenset[str] = frozenset()
    per_minute: int | None = None
    most_bytes: int = MAX_BYTES
    subscription_id: UUID | None = None
    answer_mode: str = AnswerMode.AT_ONCE
    longest_wait_s: int = 25
    is_full: bool = False

    def secrets_at(self, now: datetime) -> Sequence[str]:
        """Return the secrets that are good at a moment, the newest first."""
        if self.previous_valid_until is not None and now < self.previous_valid_until:
            return (self.secret, self.previous_secret)
        return (self.secret,)


@dataclass(frozen=True, slots=True)
class _Kept:
    endpoint: Endpoint | None
    until: float


_kept: OrderedDict[str, _Kept] = OrderedDict()


def kept(token: str) -> _Kept | None:
    """Return what is remembered of a token (also that it is unknown), or None."""
    found = _kept.get(token)
    return found if found is not None and found.until > clock.monotonic() else None


def load(token: str) -> Endpoint | None:
    """Return the active endpoint of a token, or None; queries, and remembers the answer.

    Raises Unavailable when the database is away.
    """
    try:
        row = WebhookEndpoint.objects.filter(token=token, is_active=True).first()
        endpoint = _endpoint(row) if row is not None else None
    except (OperationalError, InterfaceError, InternalError) as error:
        raise Unavailable(AWAY) from error
    _kept[token] = _Kept(endpoint, clock.monotonic() + KEPT_S)
    while len(_kept) > MOST_KEPT:
        _kept.popitem(last=False)
    return endpoint


def forget(token: str) -> None:
    """Look a token up anew once the transaction is committed; other processes do within 3 s."""
    transaction.on_commit(lambda: _kept.pop(token, None))


def address(endpoint: WebhookEndpoint) -> str:
    """Return the endpoint's URL."""
    return f"{settings.PUBLIC_URL}/hooks/{endpoint.token}"


def new(workflow: Workflow, trigger_id: str) -> WebhookEndpoint:
    """Return an endpoint that is not saved yet, at an address that cannot be guessed."""
    return WebhookEndpoint(
        project_id=workflow.project_id,
        workflow=workflow,
        trigger_id=trigger_id,
        token=secrets.token_urlsafe(_TOKEN_BYTES),
    )


def shown(endpoint: WebhookEndpoint, *, secret: str = "") -> dict[str, Any]:
    """Return what its owner is told: ``{"id", "trigger_id", "url", "auth": {"mode", …}}``."""
    auth = {"mode": endpoint.auth_mode, **endpoint.auth_cfg}
    if secret:
        auth["secret"] = secret
    return {
        "id": str(endpoint.pk),
        "trigger_id": endpoint.trigger_id,
        "url": address(endpoint),
        "auth": auth,
    }


def give_secret(endpoint: WebhookEndpoint, secret: str = "") -> str:
    """Put a secret, a fresh one unless given, on an endpoint that is about to be saved.

    Returns it: it is shown once.
    """
    secret = secret or new_secret(endpoint.auth_mode)
    endpoint.sealed_secret = _seal(endpoint, secret, SECRET) if secret else ""
    endpoint.sealed_previous_secret = ""
    endpoint.previous_valid_until = None
    return secret


def rotate(endpoint: WebhookEndpoint, *, secret: str = "") -> str:
    """Give the endpoint a new secret, saved; the old one stays good for 24 hours.

    ``secret`` is one that the sender has made, as Stripe and Slack do. Raises InvalidInput when it
    cannot be one.
    """
    if secret:
        check_secret(endpoint.auth_mode, secret)
    old = _unsealed(endpoint, SECRET)
    secret = give_secret(endpoint, secret)
    if old and secret:
        endpoint.sealed_previous_secret = _seal(endpoint, old, PREVIOUS)
        endpoint.previous_valid_until = clock.now() + OVERLAP
    endpoint.updated_at = clock.now()
    endpoint.save()
    forget(endpoint.token)
    return secret


def _seal(endpoint: WebhookEndpoint, secret: str, field: str) -> str:
    return vault.seal(secret, owner_id=endpoint.pk, field=field)


def _unsealed(row: WebhookEndpoint, field: str) -> str:
    sealed: str = getattr(row, field)
    if not sealed:
        return ""
    with forgetting_secrets():
        return vault.unseal(sealed, owner_id=row.pk, field=field)


def _endpoint(row: WebhookEndpoint) -> Endpoint:
    source = f"webhook:{row.pk}"
    subscription = Subscription.objects.filter(source=source).first()
    return Endpoint(
        id=row.pk,
        project_id=row.project_id,
        trigger_key=subscription.trigger_key if subscription else "webhook",
        methods=frozenset(row.methods or ["POST"]),
        auth_mode=AuthMode(row.auth_mode),
        auth_cfg=row.auth_cfg,
        secret=_unsealed(row, SECRET),
        previous_secret=_unsealed(row, PREVIOUS),
        previous_valid_until=row.previous_valid_until if row.sealed_previous_secret else None,
        event_key_template=row.event_key_template,
        origins=frozenset(row.origins),
        per_minute=row.per_minute,
        subscription_id=subscription.pk if subscription else None,
        answer_mode=row.answer_mode,
        longest_wait_s=row.longest_wait_s,
        most_bytes=min(row.most_bytes or MAX_BYTES, MAX_BYTES),
        is_full=pressure.is_queue_full(row.workflow_id, source),
    )
