"""Business calendars as the engine needs them: read when a plan asks, kept for a minute."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfoNotFoundError

import orjson

from leadsend.lib import clock
from leadsend.lib.postgres import Connection
from runtime.engine.calendar_delays import DEFAULT
from workflows.definition.business_time import NINE_TO_FIVE, Calendar

log = logging.getLogger(__name__)

KEPT_S: Final = 60.0


class Calendars:
    """The calendars of this process. A change of one is seen within ``KEPT_S`` seconds."""

    def __init__(self, monotonic: Callable[[], float] = clock.monotonic) -> None:
        self._monotonic = monotonic
        self._found: Mapping[str, Calendar] = {}
        self._read_at: float | None = None

    def known(self, connection: Connection, names: Iterable[str]) -> Mapping[str, Calendar]:
        """Return all calendars by key when any is named, the usual one under ""; else nothing.

        Queries at most once in ``KEPT_S`` seconds. One that cannot be read is left out, and logged.
        """
        if not any(True for _ in names):
            return {}
        if self._read_at is None or self._monotonic() - self._read_at > KEPT_S:
            self._found = _read(connection)
            self._read_at = self._monotonic()
        return self._found


def _read(connection: Connection) -> Mapping[str, Calendar]:
    found: dict[str, Calendar] = {}
    for key, is_usual, timezone, hours, holidays in connection.execute(_CALENDARS).fetchall():
        calendar = _calendar(key, timezone, orjson.loads(hours), holidays)
        if calendar is not None:
            found[key] = calendar
            if is_usual:
                found[DEFAULT] = calendar
    if DEFAULT not in found:
        row = connection.execute("SELECT timezone FROM organisation").fetchone()
        usual = _calendar("", row[0] if row else "UTC", NINE_TO_FIVE, [])
        found |= {DEFAULT: usual} if usual else {}
    return found


def _calendar(
    key: str, timezone: str, hours: Mapping[str, Any], holidays: Sequence[date]
) -> Calendar | None:
    try:
        return Calendar.of(timezone=timezone, hours=hours, holidays=holidays)
    except (ValueError, TypeError, AttributeError, ZoneInfoNotFoundError) as error:
        log.warning("calendar not read", extra={"calendar": key, "error": str(error)[:200]})
        return None


_CALENDARS: Final = """
SELECT c.key, c.is_usual, c.timezone, c.hours::text,
       coalesce(array_agg(h.day) FILTER (WHERE h.day IS NOT NULL), '{}'::date[])
  FROM business_calendar c LEFT JOIN holiday h ON h.calendar_id = c.id
 GROUP BY c.id
"""
