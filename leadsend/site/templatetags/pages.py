"""Tags of our pages: icons, states, moments, data in words. Loaded in every template."""

from __future__ import annotations

import json
from datetime import datetime
from functools import lru_cache
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from lucide.templatetags.lucide import lucide

from leadsend.lib.payloads import Reference
from leadsend.site import words
from leadsend.site.facts import Fact, facts_of

register = template.Library()


@register.simple_tag
@lru_cache(maxsize=256)
def icon(name: str, size: int = 18) -> SafeString:
    """Return a lucide icon as inline SVG, hidden from screen readers: a word stands beside it."""
    svg = lucide(str(name), size=size, stroke_width="1.75", aria_hidden="true", **{"class": "icon"})
    return mark_safe(svg)  # noqa: S308 - made of the package's own files


@register.inclusion_tag("components/_badge.html")
def state(name: str) -> dict[str, Any]:
    """Show a state (of a run, step, task, workflow, mail) as icon and word."""
    return {"badge": words.STATES.get(name, words.UNKNOWN)}


@register.simple_tag
def tone(name: str) -> str:
    """Return the class that colours a state's surroundings."""
    return f"tone-{words.STATES.get(name, words.UNKNOWN).tone}"


@register.simple_tag
def state_icon(name: str) -> SafeString:
    """Return a state's icon alone; its word must stand near."""
    shown: SafeString = icon(words.STATES.get(name, words.UNKNOWN).icon)
    return shown


@register.simple_tag
def when(value: datetime | None) -> SafeString | str:
    """Show a moment in the user's zone, with the full one on hover."""
    if value is None:
        return "–"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        value.isoformat(timespec="seconds"),
        words.moment_in_full(value),
        words.moment(value),
    )


@register.filter
def took(milliseconds: int | None) -> str:
    """Return a length of time in words."""
    return "–" if milliseconds is None else words.length(milliseconds)


@register.filter
def facts(value: Any) -> list[Fact]:
    """Return a JSON value as names and texts."""
    return facts_of(value)


@register.filter
def as_json(value: Any) -> str:
    """Return a JSON value as developers read it; a large one is only named."""
    shown = str(value) if isinstance(value, Reference) else value
    return json.dumps(shown, indent=2, ensure_ascii=False)
