"""Says in words what a cron rule means, where simple words say the same."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from leadsend.lib.errors import InvalidInput
from triggers import cron, spoken_rules, timetable
from triggers.cron import DAYS
from triggers.spoken_rules import FULL_DAYS


def words_of(text: str) -> str:
    """Return one rule in words; the text as it is where that is not simple, or it has words."""
    if spoken_rules.is_spoken(text):
        return text.strip()
    try:
        rule, said = cron.parse(text), _guess(text.lower().split())
        is_same = bool(said) and spoken_rules.parse(said) == (rule,)
    except InvalidInput:
        return text
    return said if is_same else text


def all_words_of(text: str) -> str:
    """Return the rules of a schedule in words, with “; ” in between."""
    return "; ".join(words_of(line) for line in timetable.lines_of(text))


def _guess(fields: Sequence[str]) -> str:
    """Return words that may mean the fields; the caller compares."""
    minute, hour, day, month, weekday = fields
    on = f" on {_set_words(weekday)}" if weekday != "*" else ""
    if hour == "*" and day == month == "*":
        step = {"*": "minute", "0": "hour"}.get(minute) or f"{minute.removeprefix('*/')} minutes"
        return f"Every {step}{on}"
    if hour.startswith("*/") and minute == "0" and day == month == "*":
        return f"Every {hour[2:]} hours{on}"
    if not (minute.isdigit() and re.fullmatch(r"[\d,]+", hour)):
        return ""
    times = " and ".join(f"{int(one):02}:{int(minute):02}" for one in hour.split(",") if one)
    if month == "*" and weekday == "*" and day != "*":
        days = " and ".join("last day" if one == "l" else one for one in day.split(","))
        return f"Every month on the {days} at {times}"
    if month == "*" and day == "*":
        return f"Every {_set_words(weekday, of_one=True)} at {times}"
    return ""


def _set_words(weekday: str, *, of_one: bool = False) -> str:
    plain = {name: number for number, name in enumerate(DAYS)}
    known: Mapping[str, str] = {"*": "day", "1-5": "weekday", "mon-fri": "weekday"}
    if weekday in known:
        return known[weekday] + ("" if of_one else "s")
    numbers = [
        plain.get(part, int(part) % 7 if part.isdigit() else None) for part in weekday.split(",")
    ]
    return " and ".join(FULL_DAYS[number].capitalize() for number in numbers if number is not None)
