"""Rules in words, such as “every weekday at 08:00”.

What can be said (docs/triggers/schedule.md): ``every`` followed by ``minute``, ``hour``, ``N
minutes``, ``N hours``, each with ``from 08:00 to 18:00`` and ``on weekdays`` where wanted; or days
(``day``, ``weekday``, ``weekend``, ``Monday and Thursday``, ``2 days``, ``2 weeks on Monday``,
``month on the 1st and the last day``, ``3 months on the first Monday``, ``year on 24 December``)
followed by ``at 09:00, 12:30 and 5 pm``. ``starting 2026-03-02`` says where a cycle of days or
weeks begins.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from leadsend.lib.errors import InvalidInput
from triggers import cron
from triggers.cron import DAYS, MONTHS, Cron, Cycle

FULL_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_FULL_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_ORDINALS = {"first": "1", "second": "2", "third": "3", "fourth": "4", "fifth": "5", "last": "l"}
_SETS = {"day": "*", "weekday": "1-5", "weekdays": "1-5", "weekend": "0,6", "weekends": "0,6"}
_MOST_MINUTES = 60 * 24 * 31
_MOST_DAYS = 366
# A Monday long ago: where cycles begin that do not say it.
_LONG_AGO = date(1970, 1, 5)
_TIME = re.compile(r"(\d{1,2})(?:[:.](\d\d))?\s*(am|pm)?")

_DAY_MONTH = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?(?: of)? (?P<month>[a-z]+)"
_MONTH_DAY = r"(?P<month2>[a-z]+) (?P<day2>\d{1,2})(?:st|nd|rd|th)?"
_SPACED = re.compile(
    r"every (?:(?P<count>\d+) )?(?P<unit>minute|hour)s?"
    r"(?: from (?P<first>.+?) to (?P<last>.+?))?(?: on (?P<days>.+))?"
)
_AT = re.compile(
    r"every (?P<days>.+?) at (?P<times>.+?)(?: (?:starting|from) (?P<start>\d{4}-\d\d-\d\d))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spaced:
    """Every so many minutes of real time, counted from 1 January 1970, 0:00 UTC."""

    minutes: int


def is_spoken(text: str) -> bool:
    """Say whether a rule is in words."""
    return text.strip().lower().startswith("every")


def parse(text: str) -> tuple[Cron | Spaced, ...]:
    """Return the rules that the words stand for. Raises InvalidInput with a sentence."""
    said = " ".join(text.lower().rstrip(". ").split())
    if match := _SPACED.fullmatch(said):
        return _spaced(text, match)
    if match := _AT.fullmatch(said):
        return _at(text, match)
    if re.fullmatch(r"every [^0-9]*(day|week|month|year|weekend|quarter).*", said):
        raise InvalidInput(f"Say at what time: “{text.strip()} at 09:00”.")
    raise _not_understood(text)


def _spaced(text: str, match: re.Match[str]) -> tuple[Cron | Spaced, ...]:
    count, is_hours = int(match["count"] or 1), match["unit"] == "hour"
    minutes = count * 60 if is_hours else count
    if not 1 <= minutes <= _MOST_MINUTES:
        raise InvalidInput(f"In “{text.strip()}”, the time between must be 1 minute to 31 days.")
    weekdays = _weekdays(match["days"], text) if match["days"] else "*"
    fits = 60 % minutes == 0 or (minutes % 60 == 0 and 1440 % minutes == 0)
    if match["first"]:
        return _within(text, minutes, (match["first"], match["last"]), weekdays)
    if not fits and weekdays == "*":
        return (Spaced(minutes=minutes),)
    if not fits:
        raise InvalidInput(
            f"“{text.strip()}”: on some days only, minutes must divide an hour (5, 10, 15, 20, 30) "
            "and hours a day (2, 3, 4, 6, 8, 12)."
        )
    if minutes < 60:
        return (cron.parse(f"{_every(minutes)} * * * {weekdays}"),)
    hours = "*" if minutes == 60 else f"*/{minutes // 60}"
    return (cron.parse(f"0 {hours} * * {weekdays}"),)


def _within(
    text: str, minutes: int, ends: tuple[str, str], weekdays: str
) -> tuple[Cron | Spaced, ...]:
    """Return the rules of “from 08:00 to 18:00”: both ends belong to it."""
    first, last = (_time(end, text) for end in ends)
    begin, end = first[0] * 60 + first[1], last[0] * 60 + last[1]
    if end <= begin:
        raise InvalidInput(f"In “{text.strip()}”, the second time must be later than the first.")
    times = [(at // 60, at % 60) for at in range(begin, end + 1, minutes)]
    return _rules(times, f"* * {weekdays}")


def _at(text: str, match: re.Match[str]) -> tuple[Cron | Spaced, ...]:
    times = [_time(part, text) for part in _list(match["times"])]
    days, cycle_days = _days(match["days"], text)
    if match["start"] and not cycle_days:
        raise InvalidInput(f"“{text.strip()}”: only every so many days or weeks has a start.")
    rules = _rules(times, days)
    if not cycle_days:
        return rules
    cycle = Cycle(days=cycle_days, start=_start(match["start"], text))
    return tuple(replace(rule, cycle=cycle) for rule in rules)


def _rules(times: Iterable[tuple[int, int]], days: str) -> tuple[Cron, ...]:
    """Return one cron rule for each set of hours that have the same minutes."""
    minutes: defaultdict[int, set[int]] = defaultdict(set)
    for hour, minute in times:
        minutes[hour].add(minute)
    hours: defaultdict[frozenset[int], set[int]] = defaultdict(set)
    for hour, found in minutes.items():
        hours[frozenset(found)].add(hour)
    return tuple(cron.parse(f"{_numbers(m)} {_numbers(h)} {days}") for m, h in hours.items())


def _days(said: str, text: str) -> tuple[str, int]:
    """Return the three cron fields of days, and of how many days a cycle has (0: none)."""
    for pattern, read in _DAY_FORMS:
        if match := re.fullmatch(pattern, said):
            return read(match, text)
    return f"* * {_weekdays(said, text)}", 0


def _every_days(match: re.Match[str], text: str) -> tuple[str, int]:
    return "* * *", _cycle(match["count"], 1, text)


def _every_weeks(match: re.Match[str], text: str) -> tuple[str, int]:
    count = _cycle(match["count"] or "1", 7, text)
    return f"* * {_weekdays(match['days'], text)}", count if count > 7 else 0


def _every_months(match: re.Match[str], text: str) -> tuple[str, int]:
    count = {None: 1, "quarter": 3}.get(match["quarter"]) or 1
    count = int(match["count"]) if match["count"] else count
    if count not in {1, 2, 3, 4, 6}:
        raise InvalidInput(f"“{text.strip()}”: a year has room for every 1, 2, 3, 4 or 6 months.")
    months = "*" if count == 1 else f"*/{count}"
    days, weekdays = [], []
    for part in _list(match["which"]):
        part = part.removeprefix("the ")
        if part == "last day":
            days.append("l")
        elif number := re.fullmatch(r"(\d{1,2})(?:st|nd|rd|th)?", part):
            days.append(number[1])
        else:
            weekdays.append(_nth(part, text))
    if days and weekdays:
        raise InvalidInput(f"“{text.strip()}”: write days and weekdays as two rules.")
    return f"{','.join(days) or '*'} {months} {','.join(weekdays) or '*'}", 0


def _every_year(match: re.Match[str], text: str) -> tuple[str, int]:
    month = _named(match["month"] or match["month2"], _FULL_MONTHS, MONTHS, text) + 1
    return f"{match['day'] or match['day2']} {month} *", 0


_DAY_FORMS: Sequence[tuple[str, Callable[[re.Match[str], str], tuple[str, int]]]] = (
    (r"(?P<count>\d+|other|second) days?", _every_days),
    (r"(?:(?P<count>\d+|other|second) )?weeks? on (?P<days>.+)", _every_weeks),
    (r"(?:(?:(?P<count>\d+) )?months?|(?P<quarter>quarter)) on (?P<which>.+)", _every_months),
    (rf"year on (?:the )?(?:{_DAY_MONTH}|{_MONTH_DAY})", _every_year),
)


def _cycle(count: str, length: int, text: str) -> int:
    days = length * (2 if count in {"other", "second"} else int(count))
    if not 1 <= days <= _MOST_DAYS:
        raise InvalidInput(f"“{text.strip()}”: a cycle has 1 to {_MOST_DAYS} days.")
    return days


def _nth(part: str, text: str) -> str:
    which, _, name = part.partition(" ")
    if which not in _ORDINALS:
        raise _not_understood(text)
    number = _named(name, FULL_DAYS, DAYS, text)
    return f"{number}l" if which == "last" else f"{number}#{_ORDINALS[which]}"


def _weekdays(said: str, text: str) -> str:
    if said in _SETS:
        return _SETS[said]
    return ",".join(str(_named(name, FULL_DAYS, DAYS, text)) for name in _list(said))


def _named(name: str, full: Sequence[str], short: Sequence[str], text: str) -> int:
    for names in (full, short):
        if name in names:
            return names.index(name)
    if name.endswith("s") and name[:-1] in full:
        return full.index(name[:-1])
    raise _not_understood(text)


def _time(said: str, text: str) -> tuple[int, int]:
    if said in {"noon", "midnight"}:
        return (12, 0) if said == "noon" else (0, 0)
    match = _TIME.fullmatch(said)
    if match is None:
        raise _not_understood(text)
    hour, minute, half = int(match[1]), int(match[2] or 0), match[3]
    if half and not 1 <= hour <= 12:
        raise InvalidInput(f"“{said}” is no time: with am and pm, hours go from 1 to 12.")
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    if hour > 23 or minute > 59:
        raise InvalidInput(f"“{said}” is no time: write it as 17:30 or 5:30 pm.")
    return hour, minute


def _start(said: str | None, text: str) -> date:
    try:
        start = date.fromisoformat(said) if said else _LONG_AGO
    except ValueError as error:
        raise InvalidInput(f"“{said}” is no day, in “{text.strip()}”.") from error
    if not 1970 <= start.year <= 2099:
        raise InvalidInput(f"“{said}”: a cycle starts between 1970 and 2099.")
    return start


def _list(said: str) -> list[str]:
    return [part for part in re.split(r", and |, | and |,", said) if part]


def _numbers(numbers: Iterable[int]) -> str:
    return ",".join(str(number) for number in sorted(numbers))


def _every(minutes: int) -> str:
    return "*" if minutes == 1 else f"*/{minutes}"


def _not_understood(text: str) -> InvalidInput:
    return InvalidInput(
        f"“{text.strip()}” is not understood. Write it like “every weekday at 08:00”, “every 15 "
        "minutes”, “every Monday and Thursday at 9:00 and 17:30”, “every month on the last day at "
        "18:00”, or as a cron rule."
    )
