"""The forms of signing in and of one's own settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.utils.translation import gettext_lazy as _

from leadsend.access.models import User

# Generic for the type checker only.
if TYPE_CHECKING:
    UserModelForm = forms.ModelForm[User]
else:
    UserModelForm = forms.ModelForm

_CURRENT = {"autocomplete": "current-password"}
_NEW = {"autocomplete": "new-password"}


class SignInForm(forms.Form):
    """E-mail and password."""

    username = forms.EmailField(
        label=_("E-mail"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        label=_("Password"), max_length=4096, strip=False, widget=forms.PasswordInput(_CURRENT)
    )


class ProfileForm(UserModelForm):
    """How LeadSend looks to one person."""

    timezone = forms.ChoiceField(label=_("Time zone"), help_text=_("Moments are shown in it."))

    class Meta:
        model = User
        fields = ["name", "theme", "timezone"]
        labels = {"name": _("Your name"), "theme": _("Look")}
        widgets = {"theme": forms.RadioSelect}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["timezone"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - declared above
        names = sorted(available_timezones() | {self.instance.timezone})
        field.choices = [(name, name.replace("_", " ")) for name in names]


class PasswordForm(forms.Form):
    """A new password, for who knows the present one."""

    current = forms.CharField(
        label=_("Present password"), strip=False, widget=forms.PasswordInput(_CURRENT)
    )
    new = forms.CharField(
        label=_("New password"),
        strip=False,
        max_length=4096,
        help_text=_("At least 10 characters, and not one that everybody uses."),
        widget=forms.PasswordInput(_NEW),
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_current(self) -> str:
        """Refuse a wrong present password."""
        current: str = self.cleaned_data["current"]
        if not self.user.check_password(current):
            raise forms.ValidationError(_("This is not your present password."))
        return current

    def clean_new(self) -> str:
        """Refuse passwords that are too easy to guess."""
        new: str = self.cleaned_data["new"]
        validate_password(new, self.user)
        return new
