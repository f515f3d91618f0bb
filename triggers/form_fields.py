"""From the settings of a form to its fields, and from what was filled in to the data of an event."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from django import forms
from django.core.validators import RegexValidator
from django.utils.html import escape
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from leadsend.lib.input_guard import clean_text

LONGEST_TEXT: Final = 10_000
_LONGEST_LINE: Final = 500
_MOST_RADIO_BUTTONS: Final = 5
_LARGEST_WHOLE: Final = 2**53
# No field of a form can be called so: its key has no hyphen.
TRAP: Final = "homepage-url"
SEND_ID: Final = "send-id"
_PHONE: Final = RegexValidator(
    r"^\+?(?:[\s().\/-]*[0-9]){5,20}[\s().\/-]*$",
    gettext_lazy("Write a phone number, such as +49 30 123456."),
)
# What browsers fill in by themselves (WCAG 2.2, 1.3.5).
_AUTOCOMPLETE: Final = {
    "name": "name",
    "full_name": "name",
    "first_name": "given-name",
    "last_name": "family-name",
    "company": "organization",
    "email": "email",
    "phone": "tel",
    "street": "street-address",
    "city": "address-level2",
    "zip": "postal-code",
    "country": "country-name",
}


class _NumberField(forms.FloatField):
    """A number that JSON knows: no infinity, and whole where it was written so."""

    def clean(self, value: Any) -> float | int | None:
        """Return the number, None for nothing. Raises ValidationError."""
        number = super().clean(value)
        if number is None:
            return None
        if not math.isfinite(number):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        is_whole = number.is_integer() and abs(number) < _LARGEST_WHOLE
        return int(number) if is_whole else float(number)


def form_class(cfg: Mapping[str, Any]) -> type[forms.Form]:
    """Return the form that a trigger's settings describe, for showing and for reading."""
    fields = {field["key"]: _field(field) for field in cfg["fields"]}
    return type("HostedFormFields", (forms.Form,), {**fields, "use_required_attribute": False})


def first_values(cfg: Mapping[str, Any], query: Mapping[str, str]) -> dict[str, str]:
    """Return what an address fills in ahead: ``?email=ada@example.com``; never a consent."""
    return {
        field["key"]: clean_text(query[field["key"]])[:_LONGEST_LINE]
        for field in cfg["fields"]
        if field.get("type") != "consent" and query.get(field["key"])
    }


def data_of(form: forms.Form) -> dict[str, Any]:
    """Return what a valid form says, as the data of an event: every field has its key.

    Texts are "" and numbers and dates null where nothing was filled in.
    """
    return {key: _value(value) for key, value in form.cleaned_data.items()}


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    return value.isoformat() if hasattr(value, "isoformat") else value


def _field(field: Mapping[str, Any]) -> forms.Field:
    make = _MAKERS.get(field.get("type", "text"), _text)
    made = make(field)
    made.required = field.get("required") is True
    if field.get("type") != "consent":
        made.error_messages["required"] = _("Fill this in.")
    made.label = _label(field)
    made.help_text = escape(field.get("help", ""))
    name = _AUTOCOMPLETE.get(field["key"])
    if name:
        made.widget.attrs["autocomplete"] = name
    if made.required:
        made.widget.attrs["aria-required"] = "true"
    return made


def _label(field: Mapping[str, Any]) -> str:
    title: str = field["title"]
    return title if field.get("required") is True else _("%(title)s (optional)") % {"title": title}


def _text(field: Mapping[str, Any]) -> forms.Field:
    return forms.CharField(max_length=_LONGEST_LINE)


def _long_text(field: Mapping[str, Any]) -> forms.Field:
    return forms.CharField(max_length=LONGEST_TEXT, widget=forms.Textarea({"rows": 6}))


def _number(field: Mapping[str, Any]) -> forms.Field:
    # As text: number fields of browsers drop what they cannot read, and change by the mouse wheel.
    return _NumberField(localize=True, widget=forms.TextInput({"inputmode": "decimal"}))


def _choice(field: Mapping[str, Any]) -> forms.Field:
    options = [(option, option) for option in field.get("options", ())]
    if len(options) <= _MOST_RADIO_BUTTONS:
        return forms.ChoiceField(choices=options, widget=forms.RadioSelect)
    return forms.ChoiceField(choices=[("", _("Choose…")), *options])


def _date(field: Mapping[str, Any]) -> forms.Field:
    return forms.DateField(widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))


def _email(field: Mapping[str, Any]) -> forms.Field:
    return forms.EmailField(max_length=254, widget=forms.EmailInput({"autocomplete": "email"}))


def _phone(field: Mapping[str, Any]) -> forms.Field:
    widget = forms.TextInput({"type": "tel", "autocomplete": "tel"})
    return forms.CharField(max_length=40, validators=[_PHONE], widget=widget)


def _consent(field: Mapping[str, Any]) -> forms.Field:
    return forms.BooleanField(
        error_messages={"required": _("Tick this to go on: without it nothing can be sent.")}
    )


_MAKERS: Final[Mapping[str, Callable[[Mapping[str, Any]], forms.Field]]] = {
    "text": _text,
    "long_text": _long_text,
    "number": _number,
    "choice": _choice,
    "date": _date,
    "email": _email,
    "phone": _phone,
    "consent": _consent,
}
