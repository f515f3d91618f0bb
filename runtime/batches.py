"""Executions that begin in memory: until they are recorded, one row stands for a whole batch.

An execution that nobody has to find in a queue need not be written before its end. The commit
that takes its event from the inbox leaves one trace for up to a hundred of them: who holds them,
until when, since when, and all that is needed to write their rows. The recording commit deletes
the trace and writes each execution once, as it then is. When the process dies, whoever reaps turns
the trace into PENDING rows with one crash more, which are claimed like any other.

The trace is the fence: who cannot delete it any more may not record.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from django.db.backends.utils import CursorWrapper

from leadsend.lib.ids import uuid7
from leadsend.lib.postgres import Connection
from runtime.claiming import Claimed
from runtime.starts import FIRST_FENCE, Start, Target, Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What begins now, in this process, under the trace ``id``."""

    id: UUID
    claimed: Sequence[Claimed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of waiting events: ``moved`` is how many, ``has_pending`` that others wait now
    in the queue of PENDING rows.
    """

    moved: int = 0
    has_pending: bool = False
    batch: Batch | None = None


def leave_trace(connection: Connection, starts: Sequence[Start], terms: Terms) -> Batch:
    """Write the trace of executions that begin here; the caller commits before any step runs."""
    batch_id = uuid7()
    # By identity: all starts of a kind share the object, and hashing one hashes four ids.
    targets = list({id(start.target): start.target for start in starts}.values())
    place = {id(target): number for number, target in enumerate(targets)}
    row = connection.execute(
        _TRACE,
        [
            batch_id,
            terms.worker_id,
            terms.lease_s,
            orjson.dumps([_target_json(target) for target in targets]).decode(),
            [start.execution_id for start in starts],
            [start.event_id for start in starts],
            [place[id(start.target)] for start in starts],
            [start.business_key for start in starts],
            [start.replay for start in starts],
            [start.received_at for start in starts],
        ],
    ).fetchone()
    claimed_at, now = row  # type: ignore[misc]  # RETURNING of one row
    return Batch(id=batch_id, claimed=[_claimed(start, terms, claimed_at, now) for start in starts])


def lock(connection: Connection, ids: Iterable[UUID]) -> set[UUID]:
    """Take the traces away; return those that were still there: of the others nothing is ours."""
    rows = connection.execute(_LOCK, [list(ids)])
    return {row[0] for row in rows.fetchall()}


def extend(connection: Connection, ids: Collection[UUID], *, lease_s: float) -> set[UUID | None]:
    """Hold the traces for another lease; return those that were, without one being recorded."""
    if not ids:
        return set()
    given = {"ids": list(ids), "lease": lease_s}
    return {row[0] for row in connection.execute(_EXTEND, given).fetchall()}


def write_out(
    connection: Connection, ids: Iterable[UUID], *, worker_id: UUID, lease_s: float
) -> set[UUID]:
    """Turn traces into RUNNING rows of this process, which can be recorded one by one.

    Returns the executions that are ours now, in a commit of its own.
    """
    given = {"ids": list(ids), "worker": worker_id, "lease": lease_s}
    return {row[0] for row in connection.execute(_WRITE_OUT, given).fetchall()}


def give_back(connection: Connection, ids: Iterable[UUID]) -> None:
    """Turn traces into PENDING rows: nothing of them was begun, so it is no crash."""
    connection.execute(_GIVE_BACK, {"ids": list(ids), "crashes": 0})


def disown(connection: Connection, *, worker_id: UUID, held: Collection[UUID]) -> None:
    """Turn traces into PENDING rows that this process left unknowingly: the answer was lost."""
    connection.execute(_DISOWN, {"worker": worker_id, "held": list(held), "crashes": 0})


def hand_on(connection: CursorWrapper, batch_id: UUID) -> list[UUID]:
    """Turn a dead process's trace into PENDING rows with one crash; return the executions."""
    connection.execute(_HAND_ON, {"ids": [batch_id], "crashes": 1})
    return [row[0] for row in connection.fetchall()]


def _target_json(target: Target) -> list[Any]:
    return [
        target.project_id,
        target.workflow_id,
        target.version_id,
        target.subscription_id,
        target.trigger_key,
        target.trigger_type,
        target.timeout_s,
    ]


def _claimed(start: Start, terms: Terms, claimed_at: datetime, now: datetime) -> Claimed:
    target = start.target
    return Claimed(
        id=start.execution_id,
        project_id=target.project_id,
        workflow_id=target.workflow_id,
        version_id=target.version_id,
        fence=FIRST_FENCE,
        crash_count=0,
        trigger_key=target.trigger_key,
        claimed_at=claimed_at,
        started_at=claimed_at,
        deadline_at=claimed_at + timedelta(seconds=target.timeout_s),
        run_ms=0,
        pending=(),
        event=orjson.loads(start.event) if start.event else {},
        request=orjson.loads(start.request) if start.request else None,
        business_key=start.business_key,
        retry_of=None,
        cancel_requested=False,
        pause_requested=False,
        now=now,
        worker_id=terms.worker_id,
        start=start,
        data_bytes=len(start.event or "") + len(start.request or ""),
    )


_TRACE: Final = """
INSERT INTO execution_batch (id, worker_id, lease_until, claimed_at, targets, execution_ids,
  event_ids, target_numbers, business_keys, replays, received_at)
VALUES (%b, %b, statement_timestamp() + make_interval(secs => %b), statement_timestamp(),
  %b::jsonb, %b::uuid[], %b::uuid[], %b::int[], %b::text[], %b::int[], %b::timestamptz[])
RETURNING claimed_at, clock_timestamp()
"""
_LOCK: Final = "DELETE FROM execution_batch WHERE id = ANY(%s) RETURNING id"
_EXTEND: Final = """
UPDATE execution_batch b
   SET lease_until = statement_timestamp() + make_interval(secs => %(lease)s)
  FROM (SELECT id FROM execution_batch WHERE id = ANY(%(ids)s) FOR UPDATE SKIP LOCKED) AS mine
 WHERE b.id = mine.id RETURNING b.id
"""
_COLUMNS: Final = """
id, project_id, workflow_id, version_id, subscription_id, trigger_event_id, trigger_key,
  trigger_type, context_data, request_data, business_key, replay, timeout_s, created_at, run_after,
  claimed_at, started_at, deadline_at, fence, status, crash_count, worker_id, lease_until
"""
_ROWS: Final = """
SELECT x.id, (t.target ->> 0)::uuid, (t.target ->> 1)::uuid, (t.target ->> 2)::uuid,
       (t.target ->> 3)::uuid, x.event_id, t.target ->> 4, t.target ->> 5,
       coalesce(e.data, '{}'::jsonb), e.request, x.business_key, x.replay,
       (t.target ->> 6)::int, x.received_at, x.received_at, b.claimed_at, b.claimed_at,
       b.claimed_at + make_interval(secs => (t.target ->> 6)::int), 1
"""
_FROM: Final = """
  FROM taken b
  CROSS JOIN LATERAL unnest(b.execution_ids, b.event_ids, b.target_numbers, b.business_keys,
    b.replays, b.received_at)
    AS x(id, event_id, number, business_key, replay, received_at)
  CROSS JOIN LATERAL (SELECT b.targets -> x.number) AS t(target)
  JOIN trigger_event e ON e.id = x.event_id
ON CONFLICT (id) DO NOTHING
"""
# The columns are constants of this module; values travel as parameters.
_WRITE_OUT: Final = f"""
WITH taken AS (DELETE FROM execution_batch WHERE id = ANY(%(ids)s) RETURNING *)
INSERT INTO workflow_execution ({_COLUMNS}) {_ROWS}, 'RUNNING', 0, %(worker)s::uuid,
       statement_timestamp() + make_interval(secs => %(lease)s)
{_FROM} RETURNING id
"""  # noqa: S608
_PENDING: Final = f"INSERT INTO workflow_execution ({_COLUMNS}) {_ROWS}, 'PENDING', %(crashes)s, "
_GIVE_BACK: Final = f"""
WITH taken AS (DELETE FROM execution_batch WHERE id = ANY(%(ids)s) RETURNING *)
{_PENDING} NULL, NULL {_FROM}
"""  # noqa: S608
_HAND_ON: Final = f"{_GIVE_BACK} RETURNING id"
_DISOWN: Final = f"""
WITH taken AS (
  DELETE FROM execution_batch WHERE worker_id = %(worker)s AND NOT (id = ANY(%(held)s)) RETURNING *)
{_PENDING} NULL, NULL {_FROM}
"""  # noqa: S608
