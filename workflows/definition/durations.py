"""Spans of time in documents: ``{"value": 90, "unit": "minutes"}``, and what is short for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

LONGEST_WAIT = timedelta(days=366)
UNITS: Mapping[str, int] = {
    "seconds": 1,
    "minutes": 60,
    "hours": 3600,
    "days": 86_400,
    "weeks": 604_800,
}
_LETTERS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SHORT = re.compile(r"(\d{1,9})\s*([smhdw])", re.ASCII)
_ISO = re.compile(
    r"P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?", re.ASCII
)
_ISO_UNITS = ("weeks", "days", "hours", "minutes", "seconds")


def expand(value: Any) -> Any:
    """Return ``{"value", "unit"}`` for "1d", "2h 30m" or "PT1H"; anything else as it is."""
    if not isinstance(value, str):
        return value
    parts = _parts(value.strip())
    if not parts:
        return value
    unit = min((name for _, name in parts), key=UNITS.__getitem__)
    total_s = sum(count * UNITS[name] for count, name in parts)
    return {"value": total_s // UNITS[unit], "unit": unit}


def span(value: Mapping[str, Any]) -> timedelta:
    """Return the length of ``{"value": number, "unit"}``.

    Raises ValueError when the unit is unknown, or the value is no number, negative or too large.
    """
    number, unit = value.get("value"), value.get("unit")
    if isinstance(number, bool) or not isinstance(number, (int, float)) or number < 0:
        raise ValueError(f"A span of time is a number from 0, not {number!r}.")
    if not isinstance(unit, str) or unit not in UNITS:
        raise ValueError(f"The unit of a span of time is one of {', '.join(UNITS)}.")
    try:
        return timedelta(seconds=number * UNITS[unit])
    except (OverflowError, ValueError) as error:
        raise ValueError(f"{number} {unit} is longer than can be waited for.") from error


def _parts(text: str) -> list[tuple[int, str]]:
    iso = _ISO.fullmatch(text)
    if iso:
        pairs = zip(iso.groups(), _ISO_UNITS, strict=True)
        return [(int(count), unit) for count, unit in pairs if count]
    found = _SHORT.findall(text)
    if not found or _SHORT.sub("", text).strip():
        return []
    return [(int(count), _LETTERS[letter]) for count, letter in found]
