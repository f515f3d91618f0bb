"""The figures that tell whether LeadSend keeps up: what waits, for how long, and who works."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

# One round trip; each part is served by a partial index or a small table. Ages are in seconds and
# null where nothing waits. The database's clock decides, as everywhere.
_QUERY = """
SELECT
  (SELECT count(*) FROM trigger_inbox),
  (SELECT extract(epoch FROM now() - min(received_at)) FROM trigger_inbox),
  (SELECT count(*) FROM workflow_execution WHERE status = 'PENDING'),
  (SELECT extract(epoch FROM now() - min(run_after)) FROM workflow_execution
    WHERE status = 'PENDING' AND run_after <= now()),
  (SELECT count(*) FROM workflow_execution WHERE status = 'RUNNING'),
  (SELECT count(*) FROM workflow_execution WHERE status = 'RUNNING' AND lease_until < now())
    + (SELECT coalesce(sum(cardinality(execution_ids)), 0) FROM execution_batch
        WHERE lease_until < now()),
  (SELECT count(*) FROM execution_timer),
  (SELECT extract(epoch FROM now() - min(due_at)) FROM execution_timer WHERE due_at <= now()),
  (SELECT extract(epoch FROM now() - min(changed_at)) FROM table_change_outbox),
  (SELECT extract(epoch FROM now() - min(next_due_at)) FROM schedule_trigger
    WHERE is_active AND next_due_at <= now()),
  (SELECT count(*) FROM worker
    WHERE stopped_at IS NULL AND seen_at > now() - interval '1 minute'),
  (SELECT max(seen_at) FROM worker),
  (SELECT max(tick_at) FROM schedule_tick WHERE tick_at > now() - interval '31 days'),
  (SELECT count(*) FROM workflow_execution
    WHERE status IN ('FAILED', 'TIMED_OUT') AND ended_at > now() - interval '24 hours'),
  (SELECT count(*) FROM step_execution WHERE status = 'UNCERTAIN')
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """Counts, and ages in seconds (None: nothing waits)."""

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


def read_vitals() -> Vitals:
    """Ask the database for all figures in one query."""
    with connection.cursor() as cursor:
        cursor.execute(_QUERY)
        row = cursor.fetchone()
    values: dict[str, Any] = dict(zip(Vitals.__slots__, row, strict=True))
    ages = {name for name in values if name.endswith("_s") and values[name] is not None}
    return Vitals(**values | {name: float(values[name]) for name in ages})
