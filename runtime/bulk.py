"""One act for many executions: what a filter finds is counted first, then noted as a job.

The job keeps the list of what was found, so it does to each execution what was previewed, once,
whoever works on it and however often that one dies (``bulk_working``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from django.db import connection, transaction

from leadsend.access import audit
from leadsend.access.models import Project, User
from leadsend.lib.errors import Conflict, InvalidInput, NotFound
from runtime import queueing
from runtime.ending import database_now
from runtime.models import (
    FAILED_EXECUTION,
    FINAL_EXECUTION,
    BulkItem,
    BulkJob,
    BulkStatus,
    Execution,
    ExecutionQuerySet,
)

Act = Literal["cancel", "retry", "replay"]
ACTS: Final[tuple[Act, ...]] = ("cancel", "retry", "replay")
MOST_AT_ONCE: Final = 100_000
USUAL_RATE: Final = 10
HIGHEST_RATE: Final = 100
_SAMPLE: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done to what. ``filter`` is as it was asked for, shown with the job.

    ``options`` are arguments of ``executions.retry`` or ``replay``; ``per_second`` is the rate.
    """

    act: Act
    found: ExecutionQuerySet
    filter: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    per_second: int = USUAL_RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """How many executions the act would be done to, and the newest few of them."""

    count: int
    sample: list[Execution]


def preview(plan: Plan) -> Preview:
    """Say what would be done; nothing is written. Two queries."""
    rows = _eligible(plan)
    return Preview(count=rows.count(), sample=list(rows.order_by("-id")[:_SAMPLE]))


def begin(plan: Plan, *, project: Project, user: User) -> BulkJob:
    """Note the job with its list of executions; engines work it off at its rate.

    Raises Conflict when nothing is found, InvalidInput when it is too much at once.
    """
    with transaction.atomic():
        job = BulkJob.objects.create(
            project=project,
            act=plan.act,
            filter=dict(plan.filter),
            options=dict(plan.options),
            per_second=plan.per_second,
            created_by=user,
        )
        job.total = _list_items(job, plan)
        _refuse_total(job.total)
        job.save(update_fields=["total"])
        audit.record("bulk.begin", actor=user, project=project, obj=job, detail=_detail(job))
        queueing.ring()
    return job


def cancel(job: BulkJob, *, user: User) -> BulkJob:
    """Stop a job; what it did stays. Asked twice it says the same.

    Raises Conflict when it is done, NotFound when it is gone.
    """
    with transaction.atomic():
        locked = BulkJob.objects.select_for_update(of=("self",)).filter(pk=job.pk).first()
        if locked is None:
            raise NotFound("There is no such job.")
        if locked.status == BulkStatus.DONE:
            raise Conflict("The job is done: there is nothing to stop.", code="finished")
        if locked.status == BulkStatus.RUNNING:
            locked.status, locked.ended_at = BulkStatus.CANCELLED, database_now()
            locked.save(update_fields=["status", "ended_at"])
            audit.record(
                "bulk.cancel",
                actor=user,
                project=locked.project,
                obj=locked,
                detail=_detail(locked),
            )
    found: BulkJob = locked
    return found


def _eligible(plan: Plan) -> ExecutionQuerySet:
    """Keep what the act is for: for a retry, what failed and was not tried again with success."""
    rows = plan.found
    if plan.act == "cancel":
        return rows.unfinished()
    if plan.act == "replay":
        return rows.filter(status__in=FINAL_EXECUTION)
    return rows.filter(status__in=(*FAILED_EXECUTION, "CANCELLED")).not_tried_again()


def _list_items(job: BulkJob, plan: Plan) -> int:
    # One statement: a hundred thousand ids need not travel to and fro.
    rows = _eligible(plan).order_by("id").values_list("pk")[: MOST_AT_ONCE + 1]
    sql, values = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {BulkItem._meta.db_table} (job_id, execution_id, status, message) "  # noqa: S608
            f"SELECT %s, found.id, 'WAITING', '' FROM ({sql}) AS found(id)",
            [job.pk, *values],
        )
        count: int = cursor.rowcount
    return count


def _refuse_total(total: int) -> None:
    if total == 0:
        raise Conflict("No run fits: there is nothing to do.", code="nothing_found")
    if total > MOST_AT_ONCE:
        raise InvalidInput(
            f"More than {MOST_AT_ONCE} runs fit. Narrow the filter, for example by "
            "created_after and created_before.",
            code="too_many",
        )


def _detail(job: BulkJob) -> dict[str, Any]:
    return {
        "act": job.act,
        "filter": job.filter,
        "options": job.options,
        "per_second": job.per_second,
        "total": job.total,
        "done": job.done,
        "refused": job.refused,
    }
