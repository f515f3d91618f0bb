"""What every page has: a policy, the user's time zone, and answers to refusals in words."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_cache_control

from leadsend.access import policy
from leadsend.lib.errors import NotAllowed, NotFound

PUBLIC = "public"
SIGNED_IN = "self.read"

View = Callable[..., HttpResponseBase]


def page(permission: str) -> Callable[[View], View]:
    """Make a function a page for which this permission of ``policy.PERMISSIONS`` is needed.

    Visitors are sent to sign in; who has the permission in no project gets 403. A view of one row
    still asks ``policy.require`` about its project. The permission is kept as ``view.policy``,
    which the start-up check looks for.
    """
    if permission not in policy.PERMISSIONS:
        raise ValueError(f"There is no permission {permission!r}.")

    def decorate(view: View) -> View:
        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if permission == PUBLIC:
                return view(request, *args, **kwargs)
            if not request.user.is_authenticated:
                # An act is not repeated by a mere sign-in: it leads to Home.
                is_read = request.method in {"GET", "HEAD"}
                return redirect_to_login(request.get_full_path() if is_read else "/")
            with timezone.override(zone_of(request.user.timezone)):
                return _answered(request, permission, view, *args, **kwargs)

        answer.policy = permission  # type: ignore[attr-defined]  # read by the start-up check
        return answer

    return decorate


def zone_of(name: str) -> ZoneInfo:
    """Return the zone of this name, UTC where it is not known on this machine."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def refusal(request: HttpRequest, message: str) -> HttpResponse:
    """Return the page that says what is not allowed and why."""
    return render(request, "403.html", {"message": message}, status=403)


def _answered(
    request: HttpRequest, permission: str, view: View, *args: Any, **kwargs: Any
) -> HttpResponseBase:
    try:
        if not policy.may_somewhere(request.user, permission):
            raise NotAllowed("Your role does not include this page. Ask an administrator for it.")
        response = view(request, *args, **kwargs)
    except NotAllowed as error:
        response = refusal(request, error.message)
    except NotFound as error:
        raise Http404(error.message) from error
    # Asked for anew each time: after signing out, going back shows nobody's data.
    patch_cache_control(response, private=True, no_cache=True)
    return response
