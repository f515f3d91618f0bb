"""Forgets the identities of events once no sender repeats them any more."""

from __future__ import annotations

from typing import Final

from django.db import connection

KEPT_DAYS: Final = 30
BATCH: Final = 5_000
# A batch at a time, so that no lock is held for long; the age index finds them.
_DELETE = """
DELETE FROM event_key WHERE id IN (
  SELECT id FROM event_key WHERE created_at < now() - make_interval(days => %s) LIMIT %s)
"""


def forget_event_keys() -> int:
    """Delete event keys older than 30 days; return how many. Safe beside any number of others."""
    count = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_DELETE, [KEPT_DAYS, BATCH])
            deleted = int(cursor.rowcount)
        count += deleted
        if deleted < BATCH:
            return count
