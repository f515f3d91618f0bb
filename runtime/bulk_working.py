"""Works bulk jobs off: a few executions in one transaction, at the job's rate, by any engine.

An act and the note that it was done are one commit: a process that dies in the middle did nothing,
so no execution gets an act twice from the same job.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from leadsend.access import audit, policy
from leadsend.lib.errors import Conflict
from runtime import executions, rated_jobs
from runtime.ending import database_now
from runtime.models import BulkItem, BulkItemStatus, BulkJob, BulkStatus, Execution

log = logging.getLogger(__name__)

_NOT_ALLOWED: Final = "Who asked for this may not operate runs of the project any more."


def work() -> int:
    """Do the next batch of one job that may go on now; return how many executions it dealt with.

    0 means that there is no job, that others work on all of them, or that their rates forbid more
    at present. Safe to call by anybody at any time. Uses Django's connection.

    1. The job that waited longest is locked; jobs locked by others are passed over.
    2. Executions of its next items are locked, all at once and before any other row.
    3. Each act is done inside a savepoint; what is refused is noted with the reason.
    4. One audit entry names them all: the log's lock is taken last, and held for a moment only.
    """
    with transaction.atomic():
        job = rated_jobs.next_job(BulkJob)
        if job is None:
            return 0
        now = database_now()
        room = rated_jobs.room(job, now)
        if room <= 0:
            return 0
        if not _is_allowed(job):
            _end(job, BulkStatus.CANCELLED, now, error=_NOT_ALLOWED)
            return 0
        return _work_on(job, room, now)


def _is_allowed(job: BulkJob) -> bool:
    return job.created_by is not None and policy.may(
        job.created_by, "execution.operate", job.project_id
    )


def _work_on(job: BulkJob, room: int, now: datetime) -> int:
    items = list(job.items.filter(status=BulkItemStatus.WAITING).order_by("id")[:room])
    wanted = [item.execution_id for item in items]
    held = _locked(wanted)
    gone = set(wanted) - set(Execution.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    dealt_with = [item for item in items if item.execution_id in held or item.execution_id in gone]
    for item in dealt_with:
        _deal_with(job, item, held.get(item.execution_id))
    BulkItem.objects.bulk_update(dealt_with, ["status", "message", "result_id"])
    _count(job, dealt_with, now)
    is_last = len(items) < room or not job.items.filter(status=BulkItemStatus.WAITING).exists()
    if is_last and len(dealt_with) == len(items):
        _end(job, BulkStatus.DONE, now)
    return len(dealt_with)


def _locked(wanted: Sequence[UUID]) -> dict[UUID, Execution]:
    """Lock what nobody else holds; the rest comes with a later batch."""
    rows = Execution.objects.filter(pk__in=wanted).select_for_update(skip_locked=True, of=("self",))
    return {row.pk: row for row in rows.order_by("id")}


def _deal_with(job: BulkJob, item: BulkItem, execution: Execution | None) -> None:
    def act() -> UUID:
        if execution is None:
            raise Conflict("The run is not kept any more.")
        return _act(job, execution)

    item.result_id, item.message = rated_jobs.attempt(job, act)
    item.status = BulkItemStatus.REFUSED if item.message else BulkItemStatus.DONE


def _act(job: BulkJob, execution: Execution) -> UUID:
    user, options = job.created_by, dict(job.options)
    if job.act == "cancel":
        return executions.cancel(execution, user=user, is_audited=False).pk
    if job.act == "replay":
        begun = executions.replay(
            execution, user=user, bulk_job=job.pk, is_audited=False, **options
        )
        return begun.pk
    if not Execution.objects.filter(pk=execution.pk).not_tried_again().exists():
        raise Conflict("The run was tried again meanwhile.")
    begun = executions.retry(execution, user=user, bulk_job=job.pk, is_audited=False, **options)
    return begun.pk


def _count(job: BulkJob, items: Sequence[BulkItem], now: datetime) -> None:
    done = [item for item in items if item.status == BulkItemStatus.DONE]
    job.done += len(done)
    job.refused += len(items) - len(done)
    job.worked_at = now
    job.save(update_fields=["done", "refused", "worked_at"])
    if done:
        audit.record(
            f"execution.{job.act}",
            actor=job.created_by,
            project=job.project,
            obj=job,
            detail={"bulk_job": str(job.pk), "executions": [str(i.execution_id) for i in done]},
        )


def _end(job: BulkJob, status: str, now: datetime, *, error: str = "") -> None:
    job.status, job.ended_at, job.error = status, now, error
    job.save(update_fields=["status", "ended_at", "error"])
    audit.record(
        "bulk.end",
        actor="bulk",
        project=job.project,
        obj=job,
        detail={"status": status, "done": job.done, "refused": job.refused, "error": error},
    )
