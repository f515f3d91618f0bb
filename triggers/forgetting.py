"""Forgets events that nothing came of any more, and their identities."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import connection

from leadsend.lib.clock import now
from leadsend.lib.ids import lowest_at

KEPT_DAYS: Final = 30
# Events that failed to be dispatched, as long as runs that failed.
KEPT_FAILED_DAYS: Final = 90
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


def forget_events(*, most: int = 200_000) -> int:
    """Delete events older than 30 days of which no run is left, up to ``most``; return how many.

    Those that could not be dispatched, or whose filter failed, are kept 90 days; samples stay, and
    so does what is still in the inbox. A run's id carries its event's millisecond, so each event
    costs one look into an index.
    """
    after, count = UUID(int=0), 0
    before = lowest_at(now() - timedelta(days=KEPT_DAYS))
    failed_before = lowest_at(now() - timedelta(days=KEPT_FAILED_DAYS))
    while count < most:
        with connection.cursor() as cursor:
            cursor.execute(_EVENTS, [after, before, BATCH, failed_before])
            last, deleted, looked_at = cursor.fetchone()
        count += deleted
        if looked_at < BATCH:
            break
        after = last
    return count


_EVENTS: Final = """
WITH old AS MATERIALIZED (
  SELECT id, fate, is_sample FROM trigger_event WHERE id > %s AND id < %s ORDER BY id LIMIT %s
), unwanted AS MATERIALIZED (
  SELECT o.id FROM old o
   WHERE NOT o.is_sample
     AND (o.id < %s OR coalesce(o.fate ->> 'code', '') NOT IN ('dispatch_failed', 'filter_failed'))
     AND NOT EXISTS (SELECT FROM trigger_inbox i WHERE i.event_id = o.id)
     AND NOT EXISTS (
       SELECT FROM workflow_execution e
        WHERE e.id >= (left(o.id::text, 13) || '-0000-0000-000000000000')::uuid
          AND e.id <= (left(o.id::text, 13) || '-ffff-ffff-ffffffffffff')::uuid
          AND e.trigger_event_id = o.id)
), gone AS (
  DELETE FROM trigger_event WHERE id = ANY(ARRAY(SELECT id FROM unwanted)) RETURNING id
)
SELECT (SELECT id FROM old ORDER BY id DESC LIMIT 1), (SELECT count(*) FROM gone), (SELECT count(*) FROM old)
"""
