"""Where a request goes next when it is redirected, and what it may take along: pure rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from yarl import URL

from leadsend.lib.egress.urls import (
    check_headers,
    check_method,
    check_redirect,
    check_url,
    is_same_origin,
)

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Anything else could be a credential under a name of the service's own.
_HARMLESS = frozenset(
    {"accept", "accept-language", "content-type", "user-agent", "idempotency-key"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """One request as it is sent, checked."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes | None


def first_leg(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Journey:
    """Return the request that a caller asked for. Raises PermanentError (``egress_refused``)."""
    return Journey(
        method=check_method(method),
        url=check_url(url),
        headers=check_headers(headers),
        body=body,
    )


def next_leg(journey: Journey, status: int, location: str | None) -> Journey | None:
    """Return the request after a redirect, or None when the answer is final.

    To another origin only harmless headers go along. Raises PermanentError for a bad target.
    """
    if status not in _REDIRECTS or location is None:
        return None
    url = check_redirect(journey.url, location)
    keep = is_same_origin(journey.url, url)
    headers = {
        name: value for name, value in journey.headers.items() if keep or name.lower() in _HARMLESS
    }
    if not _becomes_get(journey.method, status):
        return Journey(method=journey.method, url=url, headers=headers, body=journey.body)
    headers = {name: value for name, value in headers.items() if name.lower() != "content-type"}
    return Journey(method="GET", url=url, headers=headers, body=None)


def _becomes_get(method: str, status: int) -> bool:
    if status == 303:
        return method != "HEAD"
    return status in (301, 302) and method == "POST"
