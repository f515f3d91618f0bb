"""Replays many events: what a filter finds is counted first, then worked off at a rate.

A job remembers how far it came by the id of the last event, in the commit that replays it: a
process that dies in the middle did nothing, so no event is replayed twice by the same job. Events
that came after the job was begun, or that no longer fit when their turn comes, are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction

from leadsend.access import audit, policy
from leadsend.access.models import Project, User
from leadsend.lib.errors import Conflict, InvalidInput
from leadsend.lib.rest.narrowing import narrowed
from runtime import rated_jobs
from runtime.ending import database_now
from runtime.models import BulkStatus
from triggers import replaying
from triggers.event_filter import SEARCHED, EventFilter
from triggers.models import ReplayJob, Subscription, TriggerEvent

MOST_AT_ONCE: Final = 100_000
KEPT_DAYS: Final = 90
_NOT_ALLOWED: Final = "Who asked for this may not replay events of the project any more."


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a filter finds: how many, and the newest of them."""

    count: int
    newest: TriggerEvent | None


def preview(project: Project, wanted: Mapping[str, Any]) -> Found:
    """Say what would be replayed; nothing is written. Raises InvalidInput."""
    rows = _events(project, wanted)
    return Found(count=rows.count(), newest=rows.order_by("-id").first())


def begin(
    project: Project,
    wanted: Mapping[str, Any],
    *,
    per_second: int,
    user: User,
    subscription: Subscription | None = None,
) -> ReplayJob:
    """Note the job; engines work it off. Raises Conflict when nothing fits, InvalidInput.

    With a ``subscription`` only that is offered the events, and not those that it has started on.
    """
    fixed = dict(wanted)
    if fixed.get("search") and not fixed.get("received_after"):
        fixed["received_after"] = (database_now() - SEARCHED).isoformat()
    with transaction.atomic():
        rows = _events(project, fixed)
        total, newest = rows.count(), rows.order_by("-id").values_list("pk", flat=True).first()
        if not total:
            raise Conflict("No event fits: there is nothing to replay.", code="nothing_found")
        if total > MOST_AT_ONCE:
            raise InvalidInput(
                f"More than {MOST_AT_ONCE} events fit. Narrow the filter, for example by "
                "received_after and received_before.",
                code="too_many",
            )
        job: ReplayJob = ReplayJob.objects.create(
            project=project,
            filter=fixed,
            per_second=per_second,
            total=total,
            subscription=subscription,
            newest_id=newest,
            created_by=user,
        )
        audit.record("replay.begin", actor=user, project=project, obj=job, detail=_detail(job))
    return job


def cancel(job: ReplayJob, *, user: User | None) -> ReplayJob:
    """Stop a job; what it did stays. Asked twice it says the same. Raises Conflict when done."""
    with transaction.atomic():
        locked: ReplayJob = ReplayJob.objects.select_for_update(of=("self",)).get(pk=job.pk)
        if locked.status == BulkStatus.DONE:
            raise Conflict("The job is done: there is nothing to stop.", code="finished")
        if locked.status == BulkStatus.RUNNING:
            locked.status, locked.ended_at = BulkStatus.CANCELLED, database_now()
            locked.save(update_fields=["status", "ended_at"])
            audit.record(
                "replay.cancel",
                actor=user,
                project=locked.project,
                obj=locked,
                detail=_detail(locked),
            )
    return locked


def work() -> int:
    """Do the next batch of one job that may go on now; return how many events it dealt with.

    0 means that there is no job, that others work on all of them, or that their rates forbid more
    at present. Safe to call by anybody at any time. Uses Django's connection.
    """
    with transaction.atomic():
        job = rated_jobs.next_job(ReplayJob)
        if job is None:
            return 0
        now = database_now()
        room = rated_jobs.room(job, now)
        if room <= 0:
            return 0
        if job.created_by is None or not policy.may(job.created_by, "event.replay", job.project_id):
            _end(job, BulkStatus.CANCELLED, error=_NOT_ALLOWED)
            return 0
        return _work_on(job, room, now)


def _events(project: Project, wanted: Mapping[str, Any]) -> Any:
    return narrowed(EventFilter, TriggerEvent.objects.filter(project=project), wanted)


def _work_on(job: ReplayJob, room: int, now: datetime) -> int:
    rows = _events(job.project, job.filter).filter(pk__lte=job.newest_id)
    if job.last_id is not None:
        rows = rows.filter(pk__gt=job.last_id)
    events = list(rows.order_by("id")[:room])
    done = [event for event in events if _is_replayed(job, event)]
    job.done += len(done)
    job.refused += len(events) - len(done)
    job.last_id = events[-1].pk if events else job.last_id
    job.worked_at = now
    job.save(update_fields=["done", "refused", "last_id", "worked_at", "error"])
    if done:
        ids = [str(event.pk) for event in done]
        detail = {"replay_job": str(job.pk), "events": ids}
        audit.record(
            "event.replay", actor=job.created_by, project=job.project, obj=job, detail=detail
        )
    if len(events) < room:
        _end(job, BulkStatus.DONE, error=job.error)
    return len(events)


def _is_replayed(job: ReplayJob, event: TriggerEvent) -> bool:
    def act() -> int:
        _refuse_started(job, event)
        return replaying.replay_event(
            event, user=job.created_by, subscription=job.subscription, is_audited=False
        )

    number, refusal = rated_jobs.attempt(job, act)
    job.error = refusal or job.error
    return number is not None


def _refuse_started(job: ReplayJob, event: TriggerEvent) -> None:
    if job.subscription is None:
        return
    if replaying.executions_of(event).filter(subscription_id=job.subscription.pk).exists():
        raise Conflict("The subscription has started a run with this event before.")


def _end(job: ReplayJob, status: BulkStatus, *, error: str) -> None:
    job.status, job.ended_at, job.error = status, database_now(), error
    job.save(update_fields=["status", "ended_at", "error"])
    audit.record("replay.end", actor="bulk", project=job.project, obj=job, detail=_detail(job))


def _detail(job: ReplayJob) -> dict[str, Any]:
    return {
        "filter": job.filter,
        "total": job.total,
        "done": job.done,
        "refused": job.refused,
        "status": str(job.status),
    }


def forget_jobs() -> int:
    """Delete what ended more than 90 days ago; return how many. For housekeeping."""
    before = database_now() - timedelta(days=KEPT_DAYS)
    count: int = ReplayJob.objects.filter(ended_at__lt=before).delete()[0]
    return count
