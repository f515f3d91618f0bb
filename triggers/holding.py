"""Holds back what dispatch is about to start, where a workflow's settings say so."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from leadsend.lib.postgres import Connection
from runtime import turns
from runtime.turns import Key, Standing
from triggers import filters, lanes
from triggers.lines import Plan, Planner, Ruled, Timer
from triggers.matching import Outcome, Start

_DEBOUNCE: Final = "debounce "
_MOST_OLDER: Final = 10_000


class Overtaken(Exception):
    """Others hold events that came before some of ours, and may be waiting for us."""


def hold_back(connection: Connection, outcome: Outcome) -> Plan:
    """Take out of ``outcome.starts`` what may not begin now; add the fates of what is left out.

    1. Events that others are dispatching at this moment and that came before are waited for, so
       that a key's order is that of arrival. Nothing is locked yet, so nobody waits for us.
    2. The keys are locked, until the commit; who has turns is looked up.
    3. What waits already and is to take over a newer event is locked.

    Raises Overtaken when the order cannot be kept: roll back, and take the events again. Call
    ``put_in_line`` after the executions are inserted, in the same transaction.
    """
    ruled = [_ruled(start) for start in outcome.starts]
    turn_keys = {one.turn_key for one in ruled if one.turn_key is not None}
    debounce_keys = {one.debounce_key for one in ruled if one.debounce_key is not None}
    if turn_keys or debounce_keys:
        _wait_for_older(connection, ruled)
        named = [(workflow, f"{_DEBOUNCE}{key}") for workflow, key in debounce_keys]
        turns.lock_keys(connection, [*turn_keys, *named])
    planner = Planner(
        standings=_standings(connection, turn_keys, ruled),
        debounced=_debounced(connection, debounce_keys),
    )
    for one in sorted(ruled, key=_arrived):
        planner.add(one)
    plan = planner.finished()
    outcome.starts = plan.starts
    _add_fates(outcome, plan)
    return plan


def put_in_line(connection: Connection, plan: Plan) -> None:
    """Write turns and timers of what was inserted, and what becomes of older ones."""
    turns.add(connection, plan.turns)
    if plan.take_overs:
        _take_over(connection, plan)
    if plan.timers:
        _set_timers(connection, plan.timers)
    if plan.cancels:
        connection.execute(_CANCEL, [list(plan.cancels)])
    held = {turn.key for turn in plan.turns if turn.is_held and turn.is_ready}
    turns.pass_on(connection, held)


def _wait_for_older(connection: Connection, ruled: Sequence[Ruled]) -> None:
    """Wait until those have committed who dispatch events that came before ours, lane by lane."""
    first: dict[UUID, UUID] = {}
    for one in ruled:
        place = one.start.arrival.id
        lane = lanes.lane_start(place)
        first[lane] = min(place, first.get(lane, place))
    oldest = min(_arrived(one) for one in ruled)[0]
    bounds = [list(first), list(first.values())]
    connection.execute(_WAIT_FOR_OLDER, [*bounds, oldest, _MOST_OLDER])
    if connection.execute(_IS_ANY_OLDER, bounds).fetchone() is not None:
        raise Overtaken


def _arrived(ruled: Ruled) -> tuple[datetime, UUID]:
    """Return when an event came: who waited for the answer to one before always came later."""
    return ruled.start.arrival.received_at, ruled.start.arrival.id


def _ruled(start: Start) -> Ruled:
    flow, target = start.target.flow, start.target
    if not flow.holds_back:
        return Ruled(start=start)
    keys: list[Key | None] = []
    for rule in (flow.concurrency, flow.debounce):
        text = filters.key_text(rule.key, start.arrival.scope()) if rule is not None else ""
        keys.append((target.workflow_id, turns.shortened(text)) if text else None)
    return Ruled(start=start, turn_key=keys[0], debounce_key=keys[1])


def _standings(
    connection: Connection, keys: Collection[Key], ruled: Sequence[Ruled]
) -> Mapping[Key, Standing]:
    if not keys:
        return {}
    found = turns.standing(connection, keys)
    replacing = {
        one.turn_key
        for one in ruled
        if (rule := one.start.target.flow.concurrency) is not None
        and rule.policy in ("cancel_old", "coalesce")
    }
    held = {key: one.newest_held for key, one in found.items() if key in replacing}
    ids = [execution for execution in held.values() if execution is not None]
    if not ids:
        return found
    # One that was cancelled, paused or retried meanwhile keeps its own event.
    sound = {row[0] for row in connection.execute(_LOCK_WAITING, [ids]).fetchall()}
    for key, execution in held.items():
        if execution is not None and execution not in sound:
            found[key] = Standing(begun=found[key].begun)
    return found


def _debounced(connection: Connection, keys: Collection[Key]) -> Mapping[Key, UUID]:
    if not keys:
        return {}
    columns = [[key[0] for key in keys], [key[1] for key in keys]]
    rows = connection.execute(_DEBOUNCED, columns).fetchall()
    return {(row[0], row[1]): row[2] for row in rows}


def _add_fates(outcome: Outcome, plan: Plan) -> None:
    """Tell those events that started nothing else."""
    started = {start.arrival.event_id for start in plan.starts}
    for event_id, fate in plan.fates.items():
        if event_id not in started:
            outcome.fates.setdefault(event_id, fate)


def _take_over(connection: Connection, plan: Plan) -> None:
    rows = [_row(execution_id, start) for execution_id, start in plan.take_overs.items()]
    columns = [list(column) for column in zip(*rows, strict=True)]
    done = connection.execute(_TAKE_OVER, [*columns, columns[0]]).fetchall()
    events = [row[1] for row in done if row[1] is not None]
    fates = [orjson.dumps(plan.reasons[row[0]]).decode() for row in done if row[1] is not None]
    # An execution's id carries its event's millisecond: so others of the same event are found.
    low = [UUID(int=event.int >> 80 << 80) for event in events]
    high = [UUID(int=(event.int >> 80 << 80) + (1 << 80) - 1) for event in events]
    if events:
        connection.execute(_TELL_GAVE_WAY, [events, fates, low, high, events])


def _row(execution_id: UUID, start: Start) -> tuple[Any, ...]:
    target, arrival = start.target, start.arrival
    return (
        execution_id,
        arrival.event_id,
        target.version_id,
        target.subscription_id,
        start.business_key,
        arrival.replay,
        start.timeout_s,
        target.flow.priority,
    )


def _set_timers(connection: Connection, timers: Sequence[Timer]) -> None:
    rows = [(timer.execution_id, *timer.key, timer.due_at) for timer in timers]
    connection.execute(_TIMERS, [list(column) for column in zip(*rows, strict=True)])


# Rows of the inbox that came before ours are locked by those who dispatch them: they are gone when
# this returns. Only what is older than all of ours is waited for: so two cannot wait for each other.
_WAIT_FOR_OLDER: Final = """
SELECT 1 FROM unnest(%s::uuid[], %s::uuid[]) AS lane(low, high)
  JOIN trigger_inbox i ON i.id >= lane.low AND i.id < lane.high
 WHERE i.received_at < %s ORDER BY i.id LIMIT %s FOR KEY SHARE OF i
"""
_IS_ANY_OLDER: Final = """
SELECT 1 FROM unnest(%s::uuid[], %s::uuid[]) AS lane(low, high)
  JOIN trigger_inbox i ON i.id >= lane.low AND i.id < lane.high LIMIT 1
"""
_LOCK_WAITING: Final = """
SELECT id FROM workflow_execution
 WHERE id = ANY(%s) AND status = 'WAITING' AND started_at IS NULL AND retry_of IS NULL
 ORDER BY id FOR UPDATE
"""
_DEBOUNCED: Final = """
SELECT t.workflow_id, t.debounce_key, t.execution_id
  FROM unnest(%s::uuid[], %s::text[]) AS k(workflow_id, key)
  JOIN execution_timer t ON t.workflow_id = k.workflow_id AND t.debounce_key = k.key
  JOIN workflow_execution e ON e.id = t.execution_id
 WHERE e.status = 'WAITING' AND e.started_at IS NULL AND t.debounce_key IS NOT NULL
 ORDER BY t.execution_id FOR UPDATE OF t, e
"""
_TAKE_OVER: Final = """
WITH given AS (
  SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::int[],
      %s::int[], %s::smallint[])
    AS x(id, event_id, version_id, subscription_id, business_key, replay, timeout_s, priority)
), old AS (
  SELECT id, trigger_event_id FROM workflow_execution WHERE id = ANY(%s)
)
UPDATE workflow_execution e SET
  trigger_event_id = v.id, version_id = x.version_id, subscription_id = x.subscription_id,
  trigger_key = coalesce(s.trigger_key, v.trigger_key), trigger_type = v.trigger_type,
  context_data = coalesce(v.data, '{}'::jsonb), request_data = v.request,
  business_key = x.business_key, replay = x.replay, timeout_s = x.timeout_s,
  priority = x.priority
FROM given x
JOIN old ON old.id = x.id
JOIN trigger_event v ON v.id = x.event_id
LEFT JOIN workflow_subscription s ON s.id = x.subscription_id
WHERE e.id = x.id
RETURNING e.id, old.trigger_event_id
"""
_TELL_GAVE_WAY: Final = """
UPDATE trigger_event v SET fate = x.fate::jsonb
  FROM unnest(%s::uuid[], %s::text[], %s::uuid[], %s::uuid[]) AS x(id, fate, low, high)
 WHERE v.id = x.id AND v.id = ANY(%s) AND NOT EXISTS (
   SELECT 1 FROM workflow_execution e
    WHERE e.id >= x.low AND e.id <= x.high AND e.trigger_event_id = x.id)
"""
# Who works on one sees the wish at its next commit; any other is taken up and ends at once.
_CANCEL: Final = """
UPDATE workflow_execution SET cancel_requested_at = statement_timestamp(),
    run_after = CASE WHEN status = 'RUNNING' THEN run_after ELSE statement_timestamp() END,
    status = CASE WHEN status = 'RUNNING' THEN 'RUNNING' ELSE 'PENDING' END
 WHERE id = ANY(%s) AND cancel_requested_at IS NULL
   AND status IN ('PENDING', 'RUNNING', 'WAITING', 'PAUSED')
"""
_TIMERS: Final = """
INSERT INTO execution_timer (execution_id, workflow_id, debounce_key, due_at)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::timestamptz[])
ON CONFLICT (execution_id) DO UPDATE SET due_at = greatest(execution_timer.due_at, EXCLUDED.due_at)
"""
