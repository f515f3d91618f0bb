"""Schedules, pumped: what is due becomes events. ``scheduling`` says what there is to be due."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection

from leadsend.lib import ids
from leadsend.lib.errors import InvalidInput
from triggers import cron, failures, timetable
from triggers.events import INSERT, NewEvent, columns
from triggers.models import MissedPolicy
from triggers.timetable import Timetable

log = logging.getLogger(__name__)

TRIGGER_KEY = "schedule"
# A tick that is found later than this was missed: nobody was there when it was due.
GRACE = timedelta(seconds=60)
MAX_LATE_RUNS = 100
HOLIDAY = "a holiday"
SCHEDULES_AT_ONCE = 200
# What one schedule may write at once after a long downtime; the next pass goes on from there.
TICKS_AT_ONCE = 10_000

# The database's clock alone decides what is due.
_DUE = """
SELECT id, project_id, workflow_id, cron, timezone, missed_policy, jitter_s, skips_holidays,
       next_due_at, now()
  FROM schedule_trigger
 WHERE is_active AND next_due_at <= now()
 ORDER BY next_due_at
   FOR UPDATE SKIP LOCKED
 LIMIT %s
"""
_HOLIDAYS = """
SELECT s.id, array_agg(h.day) FROM schedule_trigger s
  JOIN business_calendar c
    ON CASE WHEN s.calendar_key = '' THEN c.is_usual ELSE c.key = s.calendar_key END
  JOIN holiday h ON h.calendar_id = c.id
 WHERE s.id = ANY(%s) GROUP BY s.id
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
    jitter_s: int
    skips_holidays: bool
    next_due_at: datetime
    now: datetime

    @property
    def shift(self) -> timedelta:
        """Return how much later than its time each tick fires."""
        return shift_of(self.id, self.jitter_s)


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
        closed = await _holidays(connection, due)
        planned = [(one, _plan_surely(one, closed.get(one.id, ()))) for one in due]
        if stopped := [_failure(one) for one, plan in planned if plan.next_due_at is None]:
            await connection.execute(*failures.start_handlers(stopped))
        ticks = [tick for schedule, plan in planned for tick in _ticks(schedule, plan)]
        fired = await _write_ticks(connection, ticks)
        await connection.execute(_FORWARD, _forward(planned))
    return fired


def plan(
    rules: Timetable,
    zone: ZoneInfo,
    policy: str,
    due_at: datetime,
    now: datetime,
    holidays: Collection[date] = (),
) -> Planned:
    """Decide on the ticks from ``due_at`` on until now.

    What is no older than the grace fires. Of older ones ``skip`` fires none, ``latest`` the last
    one unless a newer one fires anyway, ``all`` the last 100. Holidays count as no ticks at all.
    """
    found = list(islice(_until(rules, zone, due_at, now), TICKS_AT_ONCE + 1))
    if len(found) > TICKS_AT_ONCE:
        *old, going_on = found
        reason = f"one of more than {TICKS_AT_ONCE} missed at once"
        return Planned(fire=(), left_out=tuple((at, reason) for at in old), next_due_at=going_on)
    open_ticks = [at for at in found if at.astimezone(zone).date() not in holidays]
    fresh = [at for at in open_ticks if now - at <= GRACE]
    missed = open_ticks[: len(open_ticks) - len(fresh)]
    late = _worth_running(policy, missed, has_fresh=bool(fresh))
    left_out = missed[: len(missed) - len(late)]
    reasons = dict.fromkeys(left_out, _reason(policy))
    reasons |= dict.fromkeys((at for at in found if at not in {*open_ticks}), HOLIDAY)
    return Planned(
        fire=(*late, *fresh),
        left_out=tuple(sorted(reasons.items())),
        next_due_at=timetable.next_tick(rules, zone, now),
    )


def shift_of(schedule_id: UUID, jitter_s: int) -> timedelta:
    """Return by how much a schedule's ticks fire after their time: always the same span."""
    return timedelta(seconds=schedule_id.int % (jitter_s + 1))


def source_of(schedule_id: UUID) -> str:
    """Return the source under which a schedule's events are recorded."""
    return f"schedule:{schedule_id}"


class _Schedule(Protocol):
    @property
    def id(self) -> UUID: ...
    @property
    def project_id(self) -> UUID: ...


def event_of(
    schedule: _Schedule, due_at: datetime, event_id: UUID, *, by_hand: bool = False
) -> NewEvent:
    """Return the event of a tick, or of a person who fires the schedule."""
    told: dict[str, Any] = {"due_at": due_at.isoformat(), "schedule_id": str(schedule.id)}
    return NewEvent(
        event_id=event_id,
        project_id=schedule.project_id,
        trigger_key=TRIGGER_KEY,
        trigger_type=TRIGGER_KEY,
        source=source_of(schedule.id),
        data={**told, "by_hand": True} if by_hand else told,
    )


async def _holidays(
    connection: AsyncConnection, due: Sequence[_Due]
) -> Mapping[UUID, Collection[date]]:
    """Return the holidays of those that leave them out."""
    asking = [schedule.id for schedule in due if schedule.skips_holidays]
    if not asking:
        return {}
    cursor = await connection.execute(_HOLIDAYS, [asking])
    return {row[0]: frozenset(row[1]) for row in await cursor.fetchall()}


def _until(rules: Timetable, zone: ZoneInfo, due_at: datetime, now: datetime) -> Iterable[datetime]:
    return timetable.ticks_between(rules, zone, due_at, now + timedelta(microseconds=1))


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


def _plan_surely(due: _Due, holidays: Collection[date]) -> Planned:
    """Plan; a rule that cannot be read stops its own schedule, not the pump."""
    try:
        rules, zone = timetable.parse(due.cron), cron.zone_of(due.timezone)
    except InvalidInput as error:
        log.warning("schedule stopped", extra={"schedule": str(due.id), "error": error.message})
        return Planned(fire=(), left_out=(), next_due_at=None)
    due_at, now = due.next_due_at - due.shift, due.now - due.shift
    planned = plan(rules, zone, due.missed_policy, due_at, now, holidays)
    coming = planned.next_due_at
    return replace(planned, next_due_at=coming + due.shift if coming is not None else None)


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
    events = [
        event_of(tick.schedule, tick.tick_at, tick.event_id)
        for tick in ticks
        if tick.event_id and tick.event_id in new
    ]
    if events:
        await connection.execute(INSERT, columns(events))
    return len(events)


def _forward(planned: Sequence[tuple[_Due, Planned]]) -> list[list[Any]]:
    return [
        [due.id for due, _ in planned],
        [plan.next_due_at for _, plan in planned],
        [_last(due, plan) for due, plan in planned],
    ]


def _last(due: _Due, planned: Planned) -> datetime:
    return max([due.next_due_at - due.shift, *planned.fire, *(at for at, _ in planned.left_out)])
