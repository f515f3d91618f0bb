"""Keeps schedules in line with published workflows, and lets people hold and fire them by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from leadsend.access import audit
from leadsend.access.models import BusinessCalendar, User
from leadsend.lib import ids
from leadsend.lib.errors import Conflict, InvalidInput, Problem
from triggers import beat, coming_ticks, cron, inbox, timetable
from triggers.events import Accepted
from triggers.models import MissedPolicy, ScheduleTick, ScheduleTrigger
from triggers.schedules import event_of, plan, shift_of
from triggers.timetable import Timetable
from workflows.definition import canonical
from workflows.models import Workflow


@transaction.atomic
def keep(workflow: Workflow, trigger_id: str, cfg: Mapping[str, Any]) -> ScheduleTrigger:
    """Make or change the schedule of a trigger; inside the caller's transaction.

    ``cfg``: ``cron`` (rules in words or as cron), ``timezone`` (else the workflow's, else UTC),
    ``missed``, ``jitter_s``, ``skip_holidays``, ``calendar``. A changed rule counts from now on: what
    was due before is settled by the old one. An unchanged active one keeps its next tick, a paused
    one stays paused. Raises InvalidInput.
    """
    text, timezone = str(cfg.get("cron", "")), str(cfg.get("timezone") or _timezone(workflow))
    rules, zone = _checked(text, timezone, trigger_id)
    _check_calendar(cfg.get("calendar", ""), trigger_id)
    jitter_s = int(cfg.get("jitter_s") or 0)
    schedule: ScheduleTrigger
    schedule, is_new = ScheduleTrigger.objects.select_for_update().get_or_create(
        workflow=workflow,
        trigger_id=trigger_id,
        defaults={"project_id": workflow.project_id, "cron": text, "timezone": timezone},
    )
    was = (schedule.cron, schedule.timezone, schedule.jitter_s)
    is_same = not is_new and was == (text, timezone, jitter_s) and schedule.is_active
    if not is_new and not is_same:
        _settle(schedule)
    schedule.cron, schedule.timezone, schedule.jitter_s = text, timezone, jitter_s
    schedule.skips_holidays = bool(cfg.get("skip_holidays"))
    schedule.calendar_key = cfg.get("calendar", "")
    schedule.missed_policy = cfg.get("missed") or MissedPolicy.LATEST
    schedule.is_active = True
    if schedule.paused_at is None and not (is_same and schedule.next_due_at):
        schedule.next_due_at = _next_due_at(schedule, rules, zone)
    schedule.updated_at = database_now()
    schedule.save()
    beat.mirror(schedule, workflow.name)
    return schedule


def drop(workflow: Workflow, trigger_id: str) -> None:
    """Switch the schedule of a trigger off. What falls into this time does not count as missed."""
    for schedule in ScheduleTrigger.objects.filter(workflow=workflow, trigger_id=trigger_id):
        schedule.is_active, schedule.next_due_at = False, None
        schedule.updated_at = database_now()
        schedule.save(update_fields=["is_active", "next_due_at", "updated_at"])
        beat.mirror(schedule, workflow.name)


def pause(schedule: ScheduleTrigger, *, user: User | None) -> None:
    """Let no tick fire until ``resume``; those of this time are not missed. Safe to call twice."""
    _hold(schedule, user=user, is_paused=True)


def resume(schedule: ScheduleTrigger, *, user: User | None) -> None:
    """Let the next tick from now on fire again."""
    _hold(schedule, user=user, is_paused=False)


def fire_now(schedule: ScheduleTrigger, *, user: User | None) -> Accepted:
    """Start the workflow as if a tick had come, also while the schedule is paused.

    Raises Conflict when the trigger is switched off: nothing listens to it then.
    """
    if not schedule.is_active:
        raise Conflict("The published workflow no longer has this schedule: publish it first.")
    with transaction.atomic():
        event = event_of(schedule, database_now(), ids.uuid7(), by_hand=True)
        (accepted,) = inbox.accept([event])
        audit.record("schedule.fire", actor=user, project=schedule.project, obj=schedule)
    return accepted


def database_now() -> datetime:
    """Return the moment on the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (moment,) = cursor.fetchone()
    return moment  # type: ignore[no-any-return]  # a timestamptz column


def _hold(schedule: ScheduleTrigger, *, user: User | None, is_paused: bool) -> None:
    with transaction.atomic():
        locked = ScheduleTrigger.objects.select_for_update().get(pk=schedule.pk)
        if (locked.paused_at is not None) != is_paused:
            locked.paused_at = database_now() if is_paused else None
            locked.next_due_at = None
            if locked.is_active and not is_paused:
                rules, zone = _checked(locked.cron, locked.timezone, locked.trigger_id)
                locked.next_due_at = _next_due_at(locked, rules, zone)
            locked.updated_at = database_now()
            locked.save(update_fields=["paused_at", "next_due_at", "updated_at"])
            beat.mirror(locked, locked.workflow.name)
            act = "schedule.pause" if is_paused else "schedule.resume"
            audit.record(act, actor=user, project=locked.project, obj=locked)
    schedule.refresh_from_db(fields=["paused_at", "next_due_at", "updated_at"])


def _settle(schedule: ScheduleTrigger) -> None:
    """Fire what the rule of until now made due and no pump has seen yet; the row is locked."""
    now = database_now()
    if schedule.next_due_at is None or schedule.next_due_at > now:
        return
    closed = coming_ticks.holidays(schedule.calendar_key) if schedule.skips_holidays else ()
    shift = shift_of(schedule.pk, schedule.jitter_s)
    rules, zone = _checked(schedule.cron, schedule.timezone, schedule.trigger_id)
    due_at = schedule.next_due_at - shift
    planned = plan(rules, zone, schedule.missed_policy, due_at, now - shift, closed)
    ScheduleTick.objects.bulk_create(
        [_tick(schedule, at, skipped_because=reason) for at, reason in planned.left_out],
        ignore_conflicts=True,
    )
    for at in planned.fire:
        event_id = ids.uuid7()
        _, is_new = ScheduleTick.objects.get_or_create(
            schedule=schedule,
            tick_at=at,
            defaults={"project_id": schedule.project_id, "event_id": event_id},
        )
        if is_new:
            inbox.accept([event_of(schedule, at, event_id)])


def _tick(schedule: ScheduleTrigger, at: datetime, *, skipped_because: str) -> ScheduleTick:
    return ScheduleTick(
        project_id=schedule.project_id,
        schedule=schedule,
        tick_at=at,
        skipped_because=skipped_because,
    )


def _next_due_at(schedule: ScheduleTrigger, rules: Timetable, zone: ZoneInfo) -> datetime:
    shift = shift_of(schedule.pk, schedule.jitter_s)
    return timetable.next_tick(rules, zone, database_now() - shift) + shift


def _checked(text: str, timezone: str, trigger_id: str) -> tuple[Timetable, ZoneInfo]:
    try:
        return timetable.parse(text), cron.zone_of(timezone)
    except InvalidInput as error:
        raise _refused(error.message, trigger_id) from error


def _check_calendar(key: str, trigger_id: str) -> None:
    if key and not BusinessCalendar.objects.filter(key=key).exists():
        raise _refused(f"There is no calendar “{key}”: choose one that there is.", trigger_id)


def _refused(message: str, trigger_id: str) -> InvalidInput:
    problem = Problem(code="schedule", message=message, path=f"/triggers/{trigger_id}")
    return InvalidInput(message, code="schedule", problems=[problem])


def _timezone(workflow: Workflow) -> str:
    live = workflow.live_version
    document = canonical.load(live.document if live is not None else workflow.draft)
    return document.get("settings", {}).get("timezone") or "UTC"
