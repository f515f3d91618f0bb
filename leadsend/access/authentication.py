"""Signs programs in by the token in their Authorization header."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from leadsend.access import policy
from leadsend.access.models import ApiToken, User
from leadsend.access.tokens import PREFIX, hash_of
from leadsend.lib import clock

# Noting every use would write a row for each request; once a minute tells the same.
_USE_NOTED_EVERY = timedelta(minutes=1)
_REFUSED = "The token is unknown, expired or revoked: make a new one under Settings, Tokens."


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer lsk_…``; the user is narrowed to the token's project and scopes."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Return the token's user, or None when there is no bearer token at all.

        Raises AuthenticationFailed for a token that is not good (any more).
        """
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        row = find_token(token.strip())
        if row is None:
            raise AuthenticationFailed(_REFUSED)
        return narrowed(row), row

    def authenticate_header(self, request: Request) -> str:
        """Return what an answer 401 asks for."""
        return 'Bearer realm="LeadSend"'


def find_token(token: str) -> ApiToken | None:
    """Return the row of a good token with its user, and note the use; one query, rarely two."""
    if not token.startswith(PREFIX) or len(token) > 200:
        return None
    now = clock.now()
    row = (
        ApiToken.objects.select_related("user")
        .filter(token_hash=hash_of(token), revoked_at=None, user__is_active=True)
        .filter(Q(expires_at=None) | Q(expires_at__gt=now))
        .first()
    )
    if row is not None and (row.last_used_at is None or now - row.last_used_at >= _USE_NOTED_EVERY):
        ApiToken.objects.filter(pk=row.pk).update(last_used_at=now)
    return row


def narrowed(token: ApiToken) -> User:
    """Return the token's user with no more than the token lets through."""
    user = token.user
    user.token = token
    user.roles = policy.roles_under(token, user)
    return user


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # no types
    """How the token is described in the OpenAPI document."""

    target_class = "leadsend.access.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """Return the scheme."""
        return {"type": "http", "scheme": "bearer", "description": "A token: `Bearer lsk_…`."}
