"""Keeps history as long as it is wanted: partitions ahead, old months dropped, old runs deleted.

Whole months that nobody wants any more are dropped, which costs nothing. Inside newer months old
runs are deleted in small batches, each its own short transaction, so that nothing waits for it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import DatabaseError, connection, transaction

from leadsend.lib import ids
from leadsend.lib.db import partition_name, partition_statements
from runtime import turns
from runtime.ending import database_now

log = logging.getLogger(__name__)

KEEP_DONE_DAYS: Final = 30
KEEP_FAILED_DAYS: Final = 90
# Ten steps each: some thousand rows, so that a commit takes milliseconds.
BATCH: Final = 200
# In the order in which months are dropped: what refers before what is referred to.
PARTITIONED: Final = ("step_execution", "workflow_execution", "trigger_event")
MOST: Final = 5_000_000
_FAILED: Final = ["FAILED", "TIMED_OUT"]
_DONE: Final = ["SUCCESS", "CANCELLED"]
_LOCK_TIMEOUT_MS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What one pass took away."""

    executions: int
    mails: int
    months: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which ended runs go: of one workflow, or of all but those that have rules of their own."""

    statuses: list[str]
    days: int
    workflow: UUID | None = None
    others: tuple[UUID, ...] = ()


def ensure_partitions() -> list[str]:
    """Make the partitions of this and the next three months; return the names of new ones.

    A month whose rows already lie in the default partition cannot be split off: it is left there,
    which works, and logged.
    """
    now = database_now()
    before = set(_partitions())
    for table in PARTITIONED:
        for statement in partition_statements(table, now):
            _try(statement)
    return sorted(set(_partitions()) - before)


def prune(*, most: int = MOST) -> Pruned:
    """Delete what is past its time: whole months, then up to ``most`` runs in batches.

    Runs that ended well are kept 30 days from their end, failed ones 90, unless their workflow's
    live version says otherwise (``settings.retention``). Must not be called inside a transaction
    that matters: each batch commits by itself. Unfinished runs always stay. Kept mails and ended bulk
    jobs go with the longest of these times. Two at once do each other no harm.
    """
    now = database_now()
    rules = _rules()
    longest = timedelta(days=max(rule.days for rule in rules))
    months = drop_months(before=now - longest)
    deleted = 0
    for rule in rules:
        deleted += delete_ended(rule, now=now, most=most - deleted)
    mails = _delete_in_batches(_DELETE_MAILS, ids.lowest_at(now - longest))
    _delete_in_batches(_DELETE_BULK_ITEMS, now - longest)
    _delete_in_batches(_DELETE_BULK_JOBS, now - longest)
    turns.forget_ended()
    return Pruned(executions=deleted, mails=mails, months=tuple(months))


def _rules() -> list[Rule]:
    with connection.cursor() as cursor:
        cursor.execute(_LIMITS)
        own: list[tuple[UUID, int | None, int | None]] = cursor.fetchall()
    names = tuple(row[0] for row in own)
    found = [
        Rule(statuses=_DONE, days=KEEP_DONE_DAYS, others=names),
        Rule(statuses=_FAILED, days=KEEP_FAILED_DAYS, others=names),
    ]
    for workflow, done, failed in own:
        found.append(Rule(statuses=_DONE, days=done or KEEP_DONE_DAYS, workflow=workflow))
        found.append(Rule(statuses=_FAILED, days=failed or KEEP_FAILED_DAYS, workflow=workflow))
    return found


def drop_months(*, before: datetime) -> list[str]:
    """Drop the partitions of months that lie wholly before a moment; return their names.

    A month in which a run is unfinished or ended after the moment stays, with its steps and events.
    """
    dropped: list[str] = []
    for month in _months():
        if _next_month(month) <= before and not _is_wanted(month, before):
            _cut_ties(month)
            for table in PARTITIONED:
                name = partition_name(table, month)
                if _try(f'DROP TABLE IF EXISTS "{name}"'):
                    dropped.append(name)
    return dropped


def _cut_ties(month: datetime) -> None:
    bounds = [ids.lowest_at(month), ids.lowest_at(_next_month(month))]
    for statement in _LEFT_BEHIND:
        with connection.cursor() as cursor:
            cursor.execute(statement.format("execution_id >= %s AND execution_id < %s"), bounds)


def delete_ended(rule: Rule, *, now: datetime, most: int) -> int:
    """Delete up to ``most`` runs that a rule lets go, in batches; return how many."""
    deleted = 0
    after = UUID(int=0)
    ended_before = now - timedelta(days=rule.days)
    while deleted < most:
        batch = _oldest(rule, ended_before, after, limit=min(BATCH, most - deleted))
        if not batch:
            break
        _delete(batch)
        deleted += len(batch)
        after = batch[-1]
    return deleted


def _oldest(rule: Rule, ended_before: datetime, after: UUID, *, limit: int) -> list[UUID]:
    # An execution cannot end before its event arrived, so the id bounds the read.
    whose = "workflow_id = %s" if rule.workflow else "workflow_id <> ALL(%s)"
    sql = f"""SELECT id FROM workflow_execution
               WHERE id > %s AND id < %s AND status = ANY(%s) AND ended_at < %s AND {whose}
               ORDER BY id LIMIT %s"""  # noqa: S608 - one of two constants
    bounds: list[Any] = [after, ids.lowest_at(ended_before), rule.statuses, ended_before]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*bounds, rule.workflow or list(rule.others), limit])
        return [row[0] for row in cursor.fetchall()]


def _delete(batch: list[UUID]) -> None:
    first, last = batch[0].int >> 80 << 80, (batch[-1].int >> 80) + 1 << 80
    with transaction.atomic(), connection.cursor() as cursor:
        # Step rows carry their execution's millisecond, so the primary key finds them.
        cursor.execute(
            "DELETE FROM step_execution WHERE id >= %s AND id < %s AND execution_id = ANY(%s)",
            [UUID(int=first), UUID(int=last), batch],
        )
        for statement in _LEFT_BEHIND:
            cursor.execute(statement.format("execution_id = ANY(%s)"), [batch])
        cursor.execute("DELETE FROM workflow_execution WHERE id = ANY(%s)", [batch])


def _delete_in_batches(statement: str, before: datetime | UUID) -> int:
    """Delete what lies before a moment, or before the lowest id of one; return how many rows."""
    deleted = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(statement, [before, BATCH])
            count = int(cursor.rowcount)
        deleted += count
        if count < BATCH:
            return deleted


def _is_wanted(month: datetime, before: datetime) -> bool:
    sql = """SELECT EXISTS (SELECT 1 FROM workflow_execution WHERE id >= %s AND id < %s
                             AND (ended_at IS NULL OR ended_at >= %s))"""
    bounds = [ids.lowest_at(month), ids.lowest_at(_next_month(month))]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*bounds, before])
        return bool(cursor.fetchone()[0])


def _months() -> list[datetime]:
    found = (re.search(r"_(\d{4})_(\d{2})$", name) for name in _partitions())
    months = {datetime(int(m[1]), int(m[2]), 1, tzinfo=UTC) for m in found if m}
    return sorted(months)


def _partitions() -> Iterator[str]:
    sql = """SELECT c.relname FROM pg_inherits i
               JOIN pg_class c ON c.oid = i.inhrelid
              WHERE i.inhparent = ANY(%s::regclass[])"""
    with connection.cursor() as cursor:
        cursor.execute(sql, [list(PARTITIONED)])
        rows: list[Any] = cursor.fetchall()
    return (row[0] for row in rows)


def _next_month(month: datetime) -> datetime:
    return datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)


def _try(statement: str) -> bool:
    # Nobody may queue up behind this lock for longer than a moment: the next pass tries again.
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT_MS}ms'")
            cursor.execute(statement)
    except DatabaseError as error:
        log.warning("partition left as it is", extra={"statement": statement, "reason": str(error)})
        return False
    return True


# Documents are kept as text: only those that speak of it are looked into.
_LIMITS: Final = """
SELECT w.id, (v.document::jsonb #>> '{settings,retention,done_days}')::int,
       (v.document::jsonb #>> '{settings,retention,failed_days}')::int
  FROM workflow_definition w JOIN workflow_version v ON v.id = w.live_version_id
 WHERE v.document LIKE '%"retention":%' AND v.document::jsonb #> '{settings,retention}' IS NOT NULL
"""
# What names a run: a task that is still to do stays, and no longer leads to it.
_LEFT_BEHIND: Final = (
    "DELETE FROM execution_timer WHERE {}",
    "DELETE FROM execution_wait WHERE {}",
    "DELETE FROM webhook_answer WHERE {}",
    "DELETE FROM tasks WHERE {} AND status <> 'PENDING'",
    "UPDATE tasks SET execution_id = NULL WHERE {}",
)
_DELETE_MAILS: Final = """
DELETE FROM outbox_mail WHERE id IN (SELECT id FROM outbox_mail WHERE id < %s ORDER BY id LIMIT %s)
"""
_DELETE_BULK_ITEMS: Final = """
DELETE FROM bulk_item WHERE id IN (
  SELECT i.id FROM bulk_job j JOIN bulk_item i ON i.job_id = j.id
   WHERE j.status <> 'RUNNING' AND j.ended_at < %s LIMIT %s)
"""
_DELETE_BULK_JOBS: Final = """
DELETE FROM bulk_job WHERE id IN (
  SELECT id FROM bulk_job j WHERE status <> 'RUNNING' AND ended_at < %s
     AND NOT EXISTS (SELECT FROM bulk_item WHERE job_id = j.id) LIMIT %s)
"""
