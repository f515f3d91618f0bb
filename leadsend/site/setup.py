"""The first page of a new installation: organisation, name, e-mail, password."""

from __future__ import annotations

from django import forms
from django.contrib.auth import login
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from leadsend.access import people
from leadsend.access.models import User
from leadsend.access.pages import PUBLIC, page, zone_of
from leadsend.lib.errors import Conflict, InvalidInput
from registry.seeding import seed_registry


class SetUpForm(forms.Form):
    """Four answers; ``timezone`` is filled in by the browser where it can."""

    organisation = forms.CharField(
        label=_("Organisation"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "organization", "autofocus": True}),
    )
    name = forms.CharField(
        label=_("Your name"), max_length=200, widget=forms.TextInput({"autocomplete": "name"})
    )
    email = forms.EmailField(
        label=_("E-mail"), max_length=254, widget=forms.EmailInput({"autocomplete": "username"})
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=4096,
        strip=False,
        help_text=_("At least 10 characters."),
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )
    timezone = forms.CharField(
        required=False, max_length=64, widget=forms.HiddenInput({"data-fill-timezone": ""})
    )


@page(PUBLIC)
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def set_up(request: HttpRequest) -> HttpResponse:
    """Set the installation up and sign its owner in; once that is done, there is only sign-in."""
    if people.is_set_up():
        return redirect("login")
    form = SetUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            owner = _set_up(form.cleaned_data)
        except Conflict:  # somebody was faster
            return redirect("login")
        except InvalidInput as error:
            for problem in error.problems:
                form.add_error(problem.path.strip("/"), problem.message)
        else:
            login(request, owner, backend="django.contrib.auth.backends.ModelBackend")
            return redirect("home")
    return render(request, "site/setup.html", {"form": form})


def _set_up(answers: dict[str, str]) -> User:
    zone = zone_of(answers["timezone"]).key
    with transaction.atomic():
        made = people.set_up_organisation(
            organisation=answers["organisation"],
            name=answers["name"],
            email=answers["email"],
            password=answers["password"],
            timezone=zone,
        )
        made.owner.timezone = zone
        made.owner.save(update_fields=["timezone"])
        seed_registry()
    return made.owner
