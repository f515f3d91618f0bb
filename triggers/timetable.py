"""What a schedule says as a whole: one or several rules, each in words or as cron."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from leadsend.lib.errors import InvalidInput
from triggers import cron, spoken_rules
from triggers.cron import Cron
from triggers.spoken_rules import Spaced

MOST_RULES = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """Rules that count together: an instant that several of them name comes once."""

    rules: tuple[Cron | Spaced, ...]


def parse(text: str) -> Timetable:
    """Return what a text says; each line (or part before “;”) is a rule of its own.

    Raises InvalidInput with a sentence, also for a text without rules and one of more than 20.
    """
    lines = lines_of(text)
    if not lines:
        raise InvalidInput("Say when: “every weekday at 08:00”, or a cron rule: “0 8 * * mon-fri”.")
    if len(lines) > MOST_RULES:
        raise InvalidInput(f"A schedule takes up to {MOST_RULES} rules; this one has {len(lines)}.")
    return Timetable(rules=tuple(rule for line in lines for rule in _rules(line)))


def lines_of(text: str) -> list[str]:
    """Return the texts of the single rules."""
    return [line.strip() for line in text.replace(";", "\n").splitlines() if line.strip()]


def next_tick(timetable: Timetable, zone: ZoneInfo, after: datetime) -> datetime:
    """Return the first instant after ``after`` (aware) that a rule names, in UTC."""
    return min(_next(rule, zone, after) for rule in timetable.rules)


def ticks_between(
    timetable: Timetable, zone: ZoneInfo, start: datetime, end: datetime
) -> Iterator[datetime]:
    """Yield the instants from ``start`` on and before ``end`` (both aware), in UTC, in order."""
    before = start - timedelta(microseconds=1)
    coming = {rule: _next(rule, zone, before) for rule in timetable.rules}
    while (tick := min(coming.values())) < end:
        yield tick
        for rule, at in coming.items():
            if at == tick:
                coming[rule] = _next(rule, zone, tick)


def _rules(line: str) -> tuple[Cron | Spaced, ...]:
    return spoken_rules.parse(line) if spoken_rules.is_spoken(line) else (cron.parse(line),)


def _next(rule: Cron | Spaced, zone: ZoneInfo, after: datetime) -> datetime:
    if isinstance(rule, Cron):
        return cron.next_tick(rule, zone, after)
    span = timedelta(minutes=rule.minutes)
    return _EPOCH + ((after - _EPOCH) // span + 1) * span
