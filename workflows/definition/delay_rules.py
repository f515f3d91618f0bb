"""What can be wrong with the form of a delay beyond its single fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

Finding = tuple[tuple[str, ...], str]
_FORMS: Final = ("for", "until", "business", "next")


def check_delay_form(cfg: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield ``(path, message)`` where a delay says two things at once, or adds what has no use."""
    forms = [name for name in _FORMS if name in cfg]
    if len(forms) > 1:
        yield (forms[1],), f"A delay is “{forms[0]}” or “{forms[1]}”, not both: remove one."
    elif not forms and cfg:
        yield (), "Say how long to wait (for, business) or until when (until, next)."
    is_weekday = cfg.get("next") == "weekday"
    for name in ("weekdays", "at"):
        if name in cfg and not is_weekday:
            yield (name,), f"“{name}” belongs to a delay until the next weekday: remove it."
    if "calendar" in cfg and not {"business", "next"} & cfg.keys():
        yield ("calendar",), "Only business time and the next weekday go by a calendar: remove it."
    yield from _check_business(cfg.get("business"))


def _check_business(business: Any) -> Iterator[Finding]:
    span = business.get("for") if isinstance(business, Mapping) else None
    value = span.get("value") if isinstance(span, Mapping) else None
    where = ("business", "for", "value")
    if isinstance(value, str) and "{{" not in value:
        yield where, "How long to wait is a number, or an expression like {{ vars.days }}."
    elif isinstance(value, float) and not value.is_integer() and _unit(span) == "days":
        yield where, "Business days are whole days: use hours for less."


def _unit(span: Any) -> Any:
    return span.get("unit") if isinstance(span, Mapping) else None
