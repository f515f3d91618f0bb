"""Rules against the oracle that walks every minute, in six time zones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from triggers import cron
from triggers.tests import cron_oracle

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Kolkata",
    "America/Santiago",
)
RULES = (
    "30 2 * * *",
    "*/15 * * * *",
    "0 * * * *",
    "5,35 1-3 * * *",
    "*/20 */2 * * *",
    "0 0 13 * fri",
)
YEARS = range(2025, 2031)
_DAY = timedelta(days=1)
_CHUNK = 30 * _DAY
_MINUTE = timedelta(minutes=1)


def compare(*, is_full: bool) -> dict[str, Any]:
    """Return ``{"zones", "ticks", "differing"}``: how many rules differ anywhere in those years.

    The short form looks at the days around each change of the clocks in the first year only.
    """
    ticks, differing = 0, set()
    for name in ZONES:
        zone = ZoneInfo(name)
        for start, end in _spans(zone, is_full=is_full):
            # A day before it, so that a gap or a repetition at the start is seen whole.
            minutes = int((end - start + _DAY) / _MINUTE)
            walk = cron_oracle.walls(zone, start - _DAY, minutes)
            for rule in RULES:
                expected = [at for at in cron_oracle.fires(rule, walk) if at >= start]
                found = list(cron.ticks_between(cron.parse(rule), zone, start, end))
                ticks += len(found)
                if found != expected:
                    differing.add((name, rule))
    return {"zones": len(ZONES), "ticks": ticks, "differing": len(differing)}


def _spans(zone: ZoneInfo, *, is_full: bool) -> list[tuple[datetime, datetime]]:
    if not is_full:
        changes = cron_oracle.changes(zone, range(YEARS.start, YEARS.start + 1))
        return [(at - _DAY, at + _DAY) for at in changes]
    start, end = datetime(YEARS.start, 1, 1, tzinfo=UTC), datetime(YEARS.stop, 1, 1, tzinfo=UTC)
    spans = []
    while start < end:
        spans.append((start, min(start + _CHUNK, end)))
        start += _CHUNK
    return spans
