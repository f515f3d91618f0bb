"""What a business calendar may say, and the one that an organisation begins with."""

from __future__ import annotations

from datetime import time
from typing import Any, Final
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
USUAL: Final = "usual"


def nine_to_five() -> dict[str, list[list[str]]]:
    """Return the hours that a new calendar has."""
    return {day: [["09:00", "17:00"]] for day in WEEKDAYS[:5]}


def check_hours(value: Any) -> None:
    """Raise ValidationError unless ``value`` is ``{"mon": [["09:00", "17:00"], …], …}``."""
    if not isinstance(value, dict) or not set(value) <= set(WEEKDAYS):
        raise ValidationError(f"Give the hours of weekdays, named {', '.join(WEEKDAYS)}.")
    for day, pairs in value.items():
        if not isinstance(pairs, list) or not all(_is_pair(pair) for pair in pairs):
            raise ValidationError(
                f'{day}: write pairs of times, the earlier one first, like [["09:00", "17:00"]].'
            )


def check_timezone(value: str) -> None:
    """Raise ValidationError unless there is such a time zone."""
    if value not in available_timezones():
        raise ValidationError("There is no such time zone: write it like Europe/Berlin.")


def _is_pair(pair: Any) -> bool:
    if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(t, str) for t in pair):
        return False
    try:
        start, end = time.fromisoformat(pair[0]), pair[1]
        is_plain = start.tzinfo is None
        return is_plain and (end == "24:00" or start < time.fromisoformat(end))
    except (TypeError, ValueError):
        return False
