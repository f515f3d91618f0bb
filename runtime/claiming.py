"""Taking work: due executions become pending, pending ones become this process's for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from leadsend.lib.payloads import parsed
from leadsend.lib.postgres import Connection
from runtime import turns
from runtime.engine.state import StepRecord
from runtime.starts import Start
from runtime.turns import Key

MOST_AT_ONCE: Final = 100
LAST_CHANCE: Final = 2  # crashes, after which the next one is the last
_MOST_DUE: Final = 1000
_ANY_CRASHES: Final = 32_767


@dataclass(frozen=True, slots=True, kw_only=True)
class Crashes:
    """Which executions whose process died may be claimed, and whether before all others."""

    least: int = 1
    most: int = _ANY_CRASHES
    first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """One execution as it was claimed. ``pending`` is not empty only after a crash.

    ``start`` is set for one that begins in memory (``batches``) and has no row yet.
    ``event`` and ``request`` may be a Reference, until ``fetching`` has brought them in;
    ``data_bytes`` is about the size of both.
    """

    id: UUID
    project_id: UUID
    workflow_id: UUID
    version_id: UUID
    fence: int
    crash_count: int
    trigger_key: str
    claimed_at: datetime
    started_at: datetime
    deadline_at: datetime
    run_ms: int
    pending: Sequence[Mapping[str, Any]]
    event: Any
    request: Any
    business_key: str
    retry_of: UUID | None
    cancel_requested: bool
    pause_requested: bool
    now: datetime
    parent_execution: UUID | None = None
    depth: int = 0
    worker_id: UUID | None = None
    start: Start | None = None
    concurrency_key: str | None = None
    data_bytes: int = 0

    @property
    def is_fresh(self) -> bool:
        """Say whether no step of it can have a row yet."""
        return self.fence == 1 and self.retry_of is None


def wake_due(connection: Connection) -> list[Key]:
    """Make waiting executions pending whose moment has come.

    One that was debounced and has a concurrency key waits for its turn from now on; the keys of
    those are returned, for somebody to pass their turns on.

    Both rows are locked at once and locked ones are passed over, so this never waits for a
    recording and a recording never waits for two things in the other order. The timer of one that
    is at work stays: an answer came for it, and whoever holds it will see to both.
    """
    # Planning the statement over all months costs more than to see that nothing is due.
    if connection.execute(_ANY_DUE).fetchone() is None:
        return []
    woken = connection.execute(_WAKE, [_MOST_DUE]).fetchall()
    held = [row for row in woken if row[1] is not None]
    if held:
        turns.make_ready(connection, [row[0] for row in held], is_ready=True)
    return [(row[1], row[2]) for row in held]


def claim(
    connection: Connection,
    *,
    worker_id: UUID,
    lease_s: float,
    limit: int,
    turn: int = 0,
    crashes: Crashes = Crashes(),
    room_of: Callable[[UUID], int] | None = None,
) -> list[Claimed]:
    """Claim up to ``limit`` executions, workflows in turn; one that crashed before comes alone.

    The claim is committed before it returns. ``turn`` shifts which workflows come first where there
    are more of them than ``limit``; ``crashes`` says which crashed ones may come,
    ``room_of`` how many more of a workflow there is room for.
    """
    with connection.transaction():
        due_turns = wake_due(connection)
        ids = _chosen(connection, limit=limit, turn=turn, crashes=crashes, room_of=room_of)
        claimed = _claim(connection, ids, worker_id, lease_s) if ids else []
    if due_turns:
        turns.lock_and_pass_on(connection, due_turns)
    return claimed


def has_last_chances(connection: Connection) -> bool:
    """Say whether an execution that crashed twice waits for an idle process."""
    return connection.execute(_LAST_CHANCES, [LAST_CHANCE]).fetchone() is not None


def load_steps(
    connection: Connection, execution_ids: Iterable[UUID]
) -> dict[UUID, list[StepRecord]]:
    """Return the step rows of executions, by execution, each list in the order of its keys."""
    wanted = list(execution_ids)
    found: dict[UUID, list[StepRecord]] = {execution: [] for execution in wanted}
    if not wanted:
        return found
    low = [UUID(int=execution.int >> 80 << 80) for execution in wanted]
    high = [UUID(int=(execution.int >> 80 << 80) + (1 << 80) - 1) for execution in wanted]
    rows = connection.execute(_STEPS, {"ids": wanted, "low": low, "high": high})
    for row in rows.fetchall():
        found[row[0]].append(record_of(row))
    return found


def _chosen(
    connection: Connection,
    *,
    limit: int,
    turn: int,
    crashes: Crashes,
    room_of: Callable[[UUID], int] | None,
) -> list[UUID]:
    found = [row[0] for row in connection.execute(_WORKFLOWS).fetchall()]
    if not found:
        return []
    ids = _pick_crashed(connection, crashes) if crashes.first else []
    ids = ids or _pick(connection, found, limit=limit, turn=turn, room_of=room_of)
    return ids or _pick_crashed(connection, crashes)


def _claim(
    connection: Connection, ids: list[UUID], worker_id: UUID, lease_s: float
) -> list[Claimed]:
    rows = connection.execute(_CLAIM, {"ids": ids, "worker": worker_id, "lease": lease_s})
    return [_claimed(row) for row in rows.fetchall()]


def _pick(
    connection: Connection,
    found: list[UUID],
    *,
    limit: int,
    turn: int,
    room_of: Callable[[UUID], int] | None,
) -> list[UUID]:
    if room_of is not None:
        found = [workflow for workflow in found if room_of(workflow) > 0]
        if not found:
            return []
    shift = turn * limit % len(found)
    chosen = (found[shift:] + found[:shift])[:limit]
    share = max(1, limit // len(chosen))
    shares = [share if room_of is None else min(share, room_of(one)) for one in chosen]
    rows = connection.execute(_PICK, {"workflows": chosen, "shares": shares}).fetchall()
    return [row[0] for row in rows]


def _pick_crashed(connection: Connection, crashes: Crashes) -> list[UUID]:
    rows = connection.execute(_CRASHED, [crashes.least, crashes.most]).fetchall()
    return [row[0] for row in rows]


def _claimed(row: tuple[Any, ...]) -> Claimed:
    # JSON is asked for as text: the driver's own decoding is three times slower.
    return Claimed(
        id=row[0],
        project_id=row[1],
        workflow_id=row[2],
        version_id=row[3],
        fence=row[4],
        crash_count=row[5],
        trigger_key=row[6],
        claimed_at=row[7],
        started_at=row[8],
        deadline_at=row[9],
        run_ms=row[10],
        pending=parsed(row[11]) or (),
        event=parsed(row[12]),
        request=parsed(row[13]),
        business_key=row[14],
        retry_of=row[15],
        cancel_requested=row[16],
        pause_requested=row[17],
        now=row[18],
        parent_execution=row[19],
        depth=row[20],
        concurrency_key=row[21],
        data_bytes=len(row[12] or "") + len(row[13] or ""),
    )


def record_of(row: tuple[Any, ...]) -> StepRecord:
    """Return a row of ``COLUMNS`` as the engine knows it."""
    return StepRecord(
        step_id=row[1],
        kind=row[2],
        action_key=row[3],
        item=row[4],
        attempt=row[5],
        again=row[6],
        status=row[7],
        branch=row[8],
        input=parsed(row[9]),
        output=parsed(row[10]),
        error=parsed(row[11]),
        effect_key=row[12],
        due_at=row[13],
        started_at=row[14],
        ended_at=row[15],
    )


_ANY_DUE: Final = "SELECT FROM execution_timer WHERE due_at <= statement_timestamp() LIMIT 1"
_WAKE: Final = """
WITH due AS (
  SELECT t.execution_id FROM execution_timer t JOIN workflow_execution e ON e.id = t.execution_id
   WHERE t.due_at <= statement_timestamp() AND e.status = 'WAITING' ORDER BY t.due_at LIMIT %s
     FOR UPDATE OF t, e SKIP LOCKED
), gone AS (
  DELETE FROM execution_timer WHERE execution_id IN (SELECT execution_id FROM due)
  RETURNING execution_id, due_at, debounce_key
)
UPDATE workflow_execution e SET run_after = gone.due_at,
       status = CASE WHEN gone.debounce_key IS NULL OR e.concurrency_key IS NULL
         THEN 'PENDING' ELSE 'WAITING' END
  FROM gone WHERE e.id = gone.execution_id AND e.status = 'WAITING'
RETURNING e.id, CASE WHEN gone.debounce_key IS NOT NULL AND e.concurrency_key IS NOT NULL
  THEN e.workflow_id END, e.concurrency_key
"""
# One step through the index of pending rows for each workflow, however many rows each one has.
_WORKFLOWS: Final = """
WITH RECURSIVE found AS (
  (SELECT workflow_id FROM workflow_execution WHERE status = 'PENDING'
    ORDER BY workflow_id LIMIT 1)
  UNION ALL
  SELECT (SELECT e.workflow_id FROM workflow_execution e
           WHERE e.status = 'PENDING' AND e.workflow_id > found.workflow_id
           ORDER BY e.workflow_id LIMIT 1)
    FROM found WHERE found.workflow_id IS NOT NULL
)
SELECT workflow_id FROM found WHERE workflow_id IS NOT NULL
"""
_PICK: Final = """
SELECT picked.id FROM unnest(%(workflows)s::uuid[], %(shares)s::int[]) AS w(id, share)
 CROSS JOIN LATERAL (
  SELECT e.id FROM workflow_execution e
   WHERE e.workflow_id = w.id AND e.status = 'PENDING' AND e.crash_count = 0
     AND e.run_after <= statement_timestamp()
   ORDER BY e.priority, e.run_after LIMIT w.share
     FOR UPDATE SKIP LOCKED
) AS picked
"""
_CRASHED: Final = """
SELECT id FROM workflow_execution
 WHERE status = 'PENDING' AND crash_count > 0 AND crash_count BETWEEN %s AND %s
   AND run_after <= statement_timestamp()
 ORDER BY run_after LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_LAST_CHANCES: Final = """
SELECT 1 FROM workflow_execution
 WHERE status = 'PENDING' AND crash_count > 0 AND crash_count >= %s
   AND run_after <= statement_timestamp() LIMIT 1
"""
_CLAIM: Final = """
UPDATE workflow_execution SET
  status = 'RUNNING', fence = fence + 1, worker_id = %(worker)s,
  lease_until = statement_timestamp() + make_interval(secs => %(lease)s),
  claimed_at = coalesce(claimed_at, statement_timestamp()),
  started_at = coalesce(started_at, statement_timestamp()),
  deadline_at = coalesce(deadline_at,
    statement_timestamp() + make_interval(secs => greatest(timeout_s - run_ms / 1000.0, 0)))
WHERE id = ANY(%(ids)s) AND status = 'PENDING'
RETURNING id, project_id, workflow_id, version_id, fence, crash_count, trigger_key, claimed_at,
  started_at, deadline_at, run_ms, pending::text, context_data::text, request_data::text,
  business_key, retry_of, cancel_requested_at IS NOT NULL, pause_requested_at IS NOT NULL,
  clock_timestamp(), parent_execution, depth, concurrency_key
"""
COLUMNS: Final = (
    "s.execution_id, s.step_id, s.kind, s.action_key, s.item, s.attempt, s.again, s.status, "
    "s.branch, s.input_data::text, s.result_data::text, s.error::text, s.effect_key, s.due_at, "
    "s.started_at, s.ended_at"
)
_STEPS: Final = f"""
SELECT {COLUMNS}
  FROM unnest(%(ids)s::uuid[], %(low)s::uuid[], %(high)s::uuid[]) AS r(id, low, high)
  JOIN step_execution s ON s.id >= r.low AND s.id <= r.high AND s.execution_id = r.id
 ORDER BY s.execution_id, s.step_id, s.item, s.attempt
"""  # noqa: S608 - the columns are a constant
