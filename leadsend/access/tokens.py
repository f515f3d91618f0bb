"""Makes and revokes API tokens; a token is shown once, its SHA-256 is stored."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction

from leadsend.access import audit, policy
from leadsend.access.models import ApiToken, Project, User
from leadsend.lib import clock
from leadsend.lib.errors import InvalidInput, NotAllowed, Problem

PREFIX = "lsk_"
_SHOWN = 12
_MAX_DAYS = 3650


def create_token(
    *,
    user: User,
    project: Project,
    name: str,
    scopes: Sequence[str],
    days: int | None = None,
    actor: User | str | None = None,
) -> tuple[ApiToken, str]:
    """Return the new row and the token itself, which is never shown again.

    ``days`` is how long it lives; None: until it is revoked. ``actor`` is who made it, the user
    themselves without it. Raises InvalidInput for unknown scopes or days, NotAllowed when the actor
    came with a token that lets less through.
    """
    _check(scopes, days)
    if isinstance(actor, User) and not policy.may_give(actor, scopes):
        raise NotAllowed("A token cannot make one that may more than it does itself.")
    token = PREFIX + secrets.token_urlsafe(32)
    row = ApiToken(
        project=project,
        user=user,
        name=name,
        prefix=token[:_SHOWN],
        token_hash=hash_of(token),
        scopes=sorted(set(scopes)),
        expires_at=clock.now() + timedelta(days=days) if days is not None else None,
    )
    with transaction.atomic():
        row.save(force_insert=True)
        detail = {"name": name, "scopes": row.scopes, "user": user.email, "days": days}
        audit.record("token.create", actor=actor or user, project=project, obj=row, detail=detail)
    return row, token


def revoke(token: ApiToken, *, actor: User | str) -> None:
    """Make a token worthless from now on; a second time changes nothing."""
    with transaction.atomic():
        changed = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(
            revoked_at=clock.now()
        )
        if changed:
            audit.record("token.revoke", actor=actor, project=token.project, obj=token)


def hash_of(token: str) -> str:
    """Return what is stored of a token. It is 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _check(scopes: Sequence[str], days: int | None) -> None:
    message = policy.scope_problem(scopes)
    if message:
        raise InvalidInput(
            message, problems=[Problem(code="unknown", message=message, path="/scopes")]
        )
    if days is not None and not 1 <= days <= _MAX_DAYS:
        message = f"“days” must be from 1 to {_MAX_DAYS}."
        raise InvalidInput(message, problems=[Problem(code="range", message=message, path="/days")])
