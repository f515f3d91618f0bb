"""The figures that tell whether LeadSend keeps up: what waits, for how long, and who works."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

# Counting stops here, so that a flood does not make its own alarm slow.
MOST_COUNTED = 100_000
_MOST_FAILED = 10_000
# One round trip; each part is served by a partial index or a small table and bounded. Ages are in
# seconds and null where nothing waits. The database's clock decides, as everywhere. The partial
# index of failed runs begins with the project, so each project is asked by itself.
_QUERY = f"""
SELECT
  (SELECT count(*) FROM (SELECT FROM trigger_inbox LIMIT {MOST_COUNTED}) AS x),
  (SELECT extract(epoch FROM now() - min(received_at))
    FROM (SELECT received_at FROM trigger_inbox ORDER BY id LIMIT 1000) AS x),
  (SELECT count(*) FROM (
    SELECT FROM workflow_execution WHERE status = 'PENDING' LIMIT {MOST_COUNTED}) AS x),
  (SELECT extract(epoch FROM now() - min(run_after)) FROM (
    SELECT run_after FROM workflow_execution WHERE status = 'PENDING' AND run_after <= now()
     LIMIT {MOST_COUNTED}) AS x),
  (SELECT count(*) FROM workflow_execution WHERE status = 'RUNNING'),
  (SELECT count(*) FROM workflow_execution WHERE status = 'RUNNING' AND lease_until < now())
    + (SELECT coalesce(sum(cardinality(execution_ids)), 0) FROM execution_batch
        WHERE lease_until < now()),
  (SELECT count(*) FROM (SELECT FROM execution_timer LIMIT {MOST_COUNTED}) AS x),
  (SELECT extract(epoch FROM now() - min(due_at)) FROM execution_timer WHERE due_at <= now()),
  (SELECT extract(epoch FROM now() - min(changed_at))
    FROM (SELECT changed_at FROM table_change_outbox ORDER BY id LIMIT 1000) AS x),
  (SELECT extract(epoch FROM now() - min(next_due_at)) FROM schedule_trigger
    WHERE is_active AND next_due_at <= now()),
  (SELECT count(*) FROM worker
    WHERE stopped_at IS NULL AND seen_at > now() - interval '1 minute'),
  (SELECT max(seen_at) FROM worker),
  (SELECT max(tick_at) FROM schedule_tick WHERE tick_at > now() - interval '31 days'),
  (SELECT coalesce(sum(failed.count), 0)::bigint FROM project CROSS JOIN LATERAL (
    SELECT count(*) FROM (
      SELECT FROM workflow_execution e
       WHERE e.project_id = project.id AND e.status IN ('FAILED', 'TIMED_OUT')
         AND e.id >= (lpad(to_hex((extract(epoch FROM now() - interval '24 hours') * 1000)::bigint),
                           12, '0') || '00000000000000000000')::uuid
       LIMIT {_MOST_FAILED}) AS x) AS failed),
  (SELECT count(*) FROM (
    SELECT FROM step_execution WHERE status = 'UNCERTAIN' LIMIT {MOST_COUNTED}) AS x),
  (SELECT count(*) FROM pg_inherits
    WHERE inhparent = 'step_execution'::regclass
      AND inhrelid::regclass::text > 'step_execution_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')
      AND inhrelid::regclass::text < 'step_execution_a'),
  (SELECT count(*) FROM circuit WHERE open_until IS NOT NULL),
  (SELECT count(*) FROM (
    SELECT FROM concurrency_turn WHERE is_held LIMIT {MOST_COUNTED}) AS x)
"""  # noqa: S608 - numbers of our own


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """Counts, and ages in seconds (None: nothing waits).

    ``inbox``, ``pending``, ``waiting`` and ``uncertain`` are counted up to ``MOST_COUNTED``.
    ``failed_24h`` are runs that began in the last 24 hours, up to 10,000 of each project.
    ``months_ahead`` are the partitions that are ready for the months to come.
    """

    inbox: int
    oldest_inbox_s: float | None
    pending: int
    oldest_pending_s: float | None
    running: int
    expired_leases: int
    waiting: int
    oldest_due_s: float | None
    oldest_change_s: float | None
    scheduler_lag_s: float | None
    workers: int
    worker_seen_at: datetime | None
    last_tick_at: datetime | None
    failed_24h: int
    uncertain: int
    months_ahead: int
    open_circuits: int
    held_back: int


def read_vitals() -> Vitals:
    """Ask the database for all figures in one query."""
    with connection.cursor() as cursor:
        cursor.execute(_QUERY)
        row = cursor.fetchone()
    values: dict[str, Any] = dict(zip(Vitals.__slots__, row, strict=True))
    ages = {name for name in values if name.endswith("_s") and values[name] is not None}
    return Vitals(**values | {name: float(values[name]) for name in ages})
