"""Security headers that Django does not set by itself, on every answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

# No inline script, no other host: what a page needs is served by LeadSend itself.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"

_Answer = Callable[[HttpRequest], HttpResponseBase]
_AsyncAnswer = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


@sync_and_async_middleware
def SecurityHeadersMiddleware(get_response: _Answer | _AsyncAnswer) -> _Answer | _AsyncAnswer:  # noqa: N802 - named like Django's
    """Add the headers; a view that set its own policy keeps it."""
    if iscoroutinefunction(get_response):
        asynchronous = cast("_AsyncAnswer", get_response)

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            return with_headers(await asynchronous(request))

        return answer_async
    synchronous = cast("_Answer", get_response)

    def answer(request: HttpRequest) -> HttpResponseBase:
        return with_headers(synchronous(request))

    return answer


def with_headers(response: HttpResponseBase) -> HttpResponseBase:
    """Set what the response does not have yet, and return it."""
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
    return response
