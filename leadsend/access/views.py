"""Pages of one person: sign in, sign out, their settings."""

from __future__ import annotations

from typing import cast

from django.conf import settings as configuration
from django.contrib import messages
from django.contrib.auth import logout, update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from leadsend.access import audit, people
from leadsend.access.forms import PasswordForm, ProfileForm, SignInForm
from leadsend.access.models import User
from leadsend.access.pages import PUBLIC, SIGNED_IN, page
from leadsend.access.signing_in import sign_in
from leadsend.lib.errors import NotAllowed, TooManyRequests


@page(PUBLIC)
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """Sign in; where nobody can yet, set up first."""
    target = _safe_target(request)
    if request.user.is_authenticated:
        return redirect(target)
    if not people.is_set_up():
        return redirect("setup")
    form = SignInForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            sign_in(request, email=data["username"], password=data["password"])
        except (NotAllowed, TooManyRequests) as error:
            form.add_error(None, error.message)
            status = 429 if isinstance(error, TooManyRequests) else 200
        else:
            return redirect(target)
    return render(request, "access/login.html", {"form": form, "next": target}, status=status)


@page(PUBLIC)
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Sign out on this browser."""
    logout(request)
    return redirect("login")


@page(SIGNED_IN)
@sensitive_post_parameters("current", "new")
@require_http_methods(["GET", "POST"])
def settings(request: HttpRequest) -> HttpResponse:
    """One's own name, look, time zone and password."""
    user = cast("User", request.user)
    which = request.POST.get("form")
    # A form of its own row, so that a refused name is not shown as the user's in the frame.
    own_row = User.objects.get(pk=user.pk)
    profile = ProfileForm(request.POST if which == "profile" else None, instance=own_row)
    password = PasswordForm(user, request.POST if which == "password" else None)
    if which == "profile" and profile.is_valid():
        profile.save()
        messages.success(request, _("Saved."))
        return redirect("settings")
    if which == "password" and password.is_valid():
        _change_password(request, user, password.cleaned_data["new"])
        return redirect("settings")
    return render(request, "access/settings.html", {"profile": profile, "password": password})


def _change_password(request: HttpRequest, user: User, password: str) -> None:
    user.set_password(password)
    user.save(update_fields=["password"])
    audit.record("user.change_password", actor=user, project=None, obj=user, request=request)
    update_session_auth_hash(request, user)
    messages.success(request, _("Your password is changed. Other browsers have to sign in again."))


def _safe_target(request: HttpRequest) -> str:
    target = request.POST.get("next") or request.GET.get("next") or ""
    is_safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if is_safe else configuration.LOGIN_REDIRECT_URL
