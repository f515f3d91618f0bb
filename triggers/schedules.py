"""Schedules: kept in line with published workflows, and pumped: what is due becomes events."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import connection as django_connection
from django.db import transaction
from psycopg import AsyncConnection

from leadsend.lib import ids
from leadsend.lib.errors import InvalidInput, Problem
from triggers import cron, failures
from triggers.events import INSERT, NewEvent, columns
from triggers.models import MissedPolicy, ScheduleTrigger
from workflows.definition import canonical
from workflows.models import Workflow

log = logging.getLogger(__name__)

TRIGGER_KEY = "schedule"
# A tick that is found later than this was missed: nobody was there when it was due.
GRACE = timedelta(seconds=60)
MAX_LATE_RUNS = 100
SCHEDULES_AT_ONCE = 200
# What one schedule may write at once after a long downtime; the next pass goes on from there.
TICKS_AT_ONCE = 10_000

# The database's clock alone decides what is due.
_DUE = """
SELECT id, project_id, workflow_id, cron, timezone, missed_policy, next_due_at, now()
  FROM schedule_trigger
 WHERE is_active AND next_due_at <= now()
 ORDER BY next_due_at
   FOR UPDATE SKIP LOCKED
 LIMIT %s
"""
# A tick that is there already was fired or left out before, by whom or by which clock ever.
_TICKS = """
INSERT INTO schedule_tick (id, project_id, schedule_id, tick_at, event_id, skipped_because)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::timestamptz[], %s::uuid[], %s::text[])
ON CONFLICT (schedule_id, tick_at) DO NOTHING
RETURNING event_id
"""
_FORWARD = """
UPDATE schedule_trigger s SET next_due_at = t.next_due_at, last_due_at = t.last_due_at
  FROM unnest(%s::uuid[], %s::timestamptz[], %s::timestamptz[])
    AS t(id, next_due_at, last_due_at)
 WHERE s.id = t.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What becomes of the ticks that are due: those to fire, and those left out with the reason."""

    fire: tuple[datetime, ...]
    left_out: tuple[tuple[datetime, str], ...]
    next_due_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Due:
    id: UUID
    project_id: UUID
    workflow_id: UUID
    cron: str
    timezone: str
    missed_policy: str
    next_due_at: datetime
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tick:
    schedule: _Due
    tick_at: datetime
    event_id: UUID | None = None
    skipped_because: str = ""


async def pump(connection: AsyncConnection) -> int:
    """Turn the ticks that are due into events, and return how many were fired.

    Any number of processes may do it at any time: schedules that another one holds are passed
    over, and a tick's row is unique. Ticks, events and inbox rows are one transaction. Raises
    psycopg.Error when the database is away. Writes schedule_tick, trigger_event, trigger_inbox.
    """
    async with connection.transaction():
        cursor = await connection.execute(_DUE, [SCHEDULES_AT_ONCE])
        due = [_Due(*row) for row in await cursor.fetchall()]
        if not due:
            return 0
        planned = [(schedule, _plan_surely(schedule)) for schedule in due]
        if stopped := [_failure(one) for one, plan in planned if plan.next_due_at is None]:
            await connection.execute(*failures.start_handlers(stopped))
        ticks = [tick for schedule, plan in planned for tick in _ticks(schedule, plan)]
        fired = await _write_ticks(connection, ticks)
        await connection.execute(_FORWARD, _forward(planned))
    return fired


def plan(rule: cron.Cron, zone: Any, policy: str, due_at: datetime, now: datetime) -> Planned:
    """Decide on the ticks from ``due_at`` on until now.

    What is no older than the grace fires. Of older ones ``skip`` fires none, ``latest`` the last
    one unless a newer one fires anyway, ``all`` the last 100.
    """
    found = list(islice(_until(rule, zone, due_at, now), TICKS_AT_ONCE + 1))
    if len(found) > TICKS_AT_ONCE:
        *old, going_on = found
        reason = f"one of more than {TICKS_AT_ONCE} missed at once"
        return Planned(fire=(), left_out=tuple((at, reason) for at in old), next_due_at=going_on)
    next_due_at = cron.next_tick(rule, zone, now)
    fresh = [at for at in found if now - at <= GRACE]
    missed = found[: len(found) - len(fresh)]
    late = _worth_running(policy, missed, has_fresh=bool(fresh))
    left_out = missed[: len(missed) - len(late)]
    reason = _reason(policy)
    return Planned(
        fire=(*late, *fresh),
        left_out=tuple((at, reason) for at in left_out),
        next_due_at=next_due_at,
    )


@transaction.atomic
def keep(workflow: Workflow, trigger_id: str, cfg: Mapping[str, Any]) -> ScheduleTrigger:
    """Make or change the schedule of a trigger; inside the caller's transaction.

    ``cfg``: ``cron``, ``timezone`` (else the workflow's, else UTC), ``missed``. A changed rule
    counts from now on; an unchanged active one keeps its next tick. Raises InvalidInput.
    """
    text, timezone = str(cfg.get("cron", "")), str(cfg.get("timezone") or _timezone(workflow))
    rule, zone = _checked(text, timezone, trigger_id)
    schedule: ScheduleTrigger
    schedule, is_new = ScheduleTrigger.objects.select_for_update().get_or_create(
        workflow=workflow,
        trigger_id=trigger_id,
        defaults={"project_id": workflow.project_id, "cron": text, "timezone": timezone},
    )
    is_same = (schedule.cron, schedule.timezone) == (text, timezone)
    if is_new or not is_same or not schedule.is_active or schedule.next_due_at is None:
        schedule.next_due_at = cron.next_tick(rule, zone, database_now())
    schedule.cron, schedule.timezone, schedule.is_active = text, timezone, True
    schedule.missed_policy = cfg.get("missed") or MissedPolicy.LATEST
    schedule.save()
    return schedule


def drop(workflow: Workflow, trigger_id: str) -> None:
    """Switch the schedule of a trigger off. What falls into this time does not count as missed."""
    ScheduleTrigger.objects.filter(workflow=workflow, trigger_id=trigger_id).update(
        is_active=False, next_due_at=None, updated_at=database_now()
    )


def source_of(schedule_id: UUID) -> str:
    """Return the source under which a schedule's events are recorded."""
    return f"schedule:{schedule_id}"


def database_now() -> datetime:
    """Return the moment on the database's clock."""
    with django_connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (moment,) = cursor.fetchone()
    return moment  # type: ignore[no-any-return]  # a timestamptz column


def _checked(text: str, timezone: str, trigger_id: str) -> tuple[cron.Cron, Any]:
    try:
        return cron.parse(text), cron.zone_of(timezone)
    except InvalidInput as error:
        problem = Problem(code="schedule", message=error.message, path=f"/triggers/{trigger_id}")
        raise InvalidInput(error.message, code="schedule", problems=[problem]) from error


def _timezone(workflow: Workflow) -> str:
    live = workflow.live_version
    document = canonical.load(live.document if live is not None else workflow.draft)
    return document.get("settings", {}).get("timezone") or "UTC"


def _until(rule: cron.Cron, zone: Any, due_at: datetime, now: datetime) -> Iterable[datetime]:
    return cron.ticks_between(rule, zone, due_at, now + timedelta(microseconds=1))


def _worth_running(policy: str, missed: list[datetime], *, has_fresh: bool) -> list[datetime]:
    if policy == MissedPolicy.ALL:
        return missed[-MAX_LATE_RUNS:]
    if policy == MissedPolicy.LATEST and not has_fresh:
        return missed[-1:]
    return []


def _reason(policy: str) -> str:
    if policy == MissedPolicy.SKIP:
        return "missed; this schedule leaves missed times out"
    if policy == MissedPolicy.LATEST:
        return "missed; this schedule runs only the latest"
    return f"missed; only the last {MAX_LATE_RUNS} are run"


def _plan_surely(due: _Due) -> Planned:
    """Plan; a rule that cannot be read stops its own schedule, not the pump."""
    try:
        rule, zone = cron.parse(due.cron), cron.zone_of(due.timezone)
    except InvalidInput as error:
        log.warning("schedule stopped", extra={"schedule": str(due.id), "error": error.message})
        return Planned(fire=(), left_out=(), next_due_at=None)
    return plan(rule, zone, due.missed_policy, due.next_due_at, due.now)


def _failure(due: _Due) -> failures.Failure:
    return failures.Failure(
        begun=ids.uuid7(),
        code="schedule_stopped",
        message=f"The schedule “{due.cron}” ({due.timezone}) has no next time that can be worked "
        "out, so it was stopped: correct the trigger and publish the workflow again.",
        project_id=due.project_id,
        workflow_id=due.workflow_id,
    )


def _ticks(schedule: _Due, planned: Planned) -> list[_Tick]:
    left_out = [
        _Tick(schedule=schedule, tick_at=at, skipped_because=reason)
        for at, reason in planned.left_out
    ]
    fired = [_Tick(schedule=schedule, tick_at=at, event_id=ids.uuid7()) for at in planned.fire]
    return left_out + fired


async def _write_ticks(connection: AsyncConnection, ticks: Sequence[_Tick]) -> int:
    """Write the ticks, then the events of those that were not there before."""
    cursor = await connection.execute(
        _TICKS,
        [
            [ids.uuid7() for _ in ticks],
            [tick.schedule.project_id for tick in ticks],
            [tick.schedule.id for tick in ticks],
            [tick.tick_at for tick in ticks],
            [tick.event_id for tick in ticks],
            [tick.skipped_because for tick in ticks],
        ],
    )
    new = {row[0] for row in await cursor.fetchall()}
    events = [_event(tick) for tick in ticks if tick.event_id and tick.event_id in new]
    if events:
        await connection.execute(INSERT, columns(events))
    return len(events)


def _event(tick: _Tick) -> NewEvent:
    return NewEvent(
        event_id=tick.event_id,
        project_id=tick.schedule.project_id,
        trigger_key=TRIGGER_KEY,
        trigger_type=TRIGGER_KEY,
        source=source_of(tick.schedule.id),
        data={"due_at": tick.tick_at.isoformat(), "schedule_id": str(tick.schedule.id)},
    )


def _forward(planned: Sequence[tuple[_Due, Planned]]) -> list[list[Any]]:
    return [
        [due.id for due, _ in planned],
        [plan.next_due_at for _, plan in planned],
        [_last(due, plan) for due, plan in planned],
    ]


def _last(due: _Due, planned: Planned) -> datetime:
    return max([due.next_due_at, *planned.fire, *(at for at, _ in planned.left_out)])
