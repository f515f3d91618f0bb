"""Picks up what dead processes left, and ends what has run out of time, crashes or wishes.

Any engine calls ``reap`` every few seconds. Rows are locked with SKIP LOCKED, so that several
reapers share the work, and every row that is taken away gets a new fence: whoever held it before
cannot record any more. The database's clock alone decides.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.db.models import BooleanField, Case, F, Q, QuerySet, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from leadsend.access import audit
from leadsend.access.models import Project
from leadsend.lib.postgres import django_connection
from runtime import called_runs, live, queueing, turns
from runtime.batches import hand_on
from runtime.ending import database_now, end_execution
from runtime.models import (
    FINAL_EXECUTION,
    Execution,
    ExecutionBatch,
    ExecutionQuerySet,
    ExecutionStatus,
    ExecutionTimer,
    Worker,
)
from workflows.models import WorkflowStep

log = logging.getLogger(__name__)

MOST_CRASHES: Final = 3
BATCH: Final = 100
_ACTOR: Final = "reaper"
_POISON: Final = {
    "code": "poison",
    "message": f"Its process died {MOST_CRASHES} times while it was at work on this run, so it is "
    "not tried again by itself. The event is kept: retry the run when the cause is gone.",
}
_TIMED_OUT: Final = {
    "code": "timed_out",
    "message": "The run was at work for longer than its time limit.",
}
_CANCELLED: Final = {"code": "cancelled", "message": "The run was cancelled."}


# RUNNING rows are few and found by their index: these are looked through, not searched for.
_LATE: Final = """jsonb_path_exists(workflow_execution.pending, '$[*] ? (@.until < $now)',
  jsonb_build_object('now', extract(epoch FROM statement_timestamp()) - %s))"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaped:
    """How many executions were handed on or ended; all counts are of one call."""

    handed_on: int = 0
    paused: int = 0
    cancelled: int = 0
    timed_out: int = 0
    poisoned: int = 0

    @property
    def total(self) -> int:
        """Return how many executions were touched."""
        return sum(asdict(self).values())

    def __add__(self, other: Reaped) -> Reaped:
        """Return the counts of two calls together."""
        return Reaped(**{name: n + getattr(other, name) for name, n in asdict(self).items()})


def reap(*, limit: int = BATCH) -> Reaped:
    """Take over what nobody works on any more; safe to call by anybody, at any time, in parallel.

    Expired leases are handed on (PENDING, one crash more), or ended: poison at the third crash,
    TIMED_OUT past the run time limit, CANCELLED where that was asked for. Runs whose caller has
    ended are asked to end. A holder that keeps its
    lease but is a lease's length over the time limit loses it too. At most ``limit`` executions
    in one transaction; uses Django's connection and blocks for a few queries. One that cannot be
    settled is logged and left as it is: the others are settled one by one. Turns
    of concurrency keys that nobody passed on are passed on as well.
    """
    unborn = _hand_on_batches(Q(lease_until__lt=Now()))
    try:
        reaped = unborn + _reap(_expired(), limit)
    except DatabaseError:
        raise
    except Exception:
        log.exception("executions not reaped together")
        reaped = unborn + _reap_one_by_one(limit)
    turns.sweep()
    return reaped


def _expired() -> tuple[Q, Q]:
    """Return what is RUNNING and can be taken away, and what a wish nobody saw waits for."""
    grace = timedelta(seconds=settings.LEADSEND_LEASE_S)
    expired = Q(status="RUNNING") & (
        Q(lease_until__lt=Now())
        | Q(lease_until=None)
        # Its process lives and does not see that the time of a step is over.
        | Q(_has_late_effect(grace))
        # What is being undone is past its limit already, and held by somebody who is alive.
        | (Q(deadline_at__lt=Now() - grace) & ~Q(pending__contains=[{"undo": True}]))
    )
    asked = Q(cancel_requested_at__isnull=False) & ~Q(status__in=(*FINAL_EXECUTION, "RUNNING"))
    return expired, asked


def _has_late_effect(grace: timedelta) -> RawSQL:
    """Say in SQL whether an effect is under way past its limit and a grace for its own process."""
    return RawSQL(_LATE, [grace.total_seconds()], output_field=BooleanField())  # noqa: S611 - ours


def _reap(found: tuple[Q, Q], limit: int) -> Reaped:
    expired, asked = found
    with transaction.atomic():
        called_runs.cancel_called(django_connection())
        taken = _locked(Execution.objects.filter(expired), limit)
        wished = _locked(Execution.objects.filter(asked), limit - len(taken))
        return _settle([*taken, *wished])


def _reap_one_by_one(limit: int) -> Reaped:
    expired, asked = _expired()
    ids = Execution.objects.filter(expired | asked).order_by("id").values_list("pk", flat=True)
    total = Reaped()
    for pk in list(ids[:limit]):
        try:
            total += _reap((expired & Q(pk=pk), asked & Q(pk=pk)), 1)
        except DatabaseError:
            raise
        except Exception:
            log.exception("execution not reaped", extra={"execution": str(pk)})
    return total


def release_worker(worker_id: UUID) -> Reaped:
    """Free everything that an engine process held which is known to be dead, without waiting.

    Marks the worker as stopped. Safe to call twice. Wrong for a process that still lives: it would
    only find that it cannot record, but its effects would be made a second time.
    """
    with transaction.atomic():
        Worker.objects.filter(pk=worker_id, stopped_at=None).update(stopped_at=Now())
        held = Execution.objects.filter(status="RUNNING", worker_id=worker_id)
        released = _settle(_locked(held, None))
    return released + _hand_on_batches(Q(worker_id=worker_id))


def dead_letters() -> ExecutionQuerySet:
    """Return the executions that were given up because their process kept dying, newest first.

    Start from ``.visible_to(user)`` before showing them.
    """
    letters: ExecutionQuerySet = Execution.objects.filter(status="FAILED", error__code="poison")
    return letters.order_by("-id")


@transaction.atomic
def _hand_on_batches(which: Q) -> Reaped:
    """Give rows to executions that began in the memory of dead processes."""
    lost: list[Execution] = []
    batches = ExecutionBatch.objects.filter(which).select_for_update(skip_locked=True)
    for batch in batches.order_by("id"):
        with connection.cursor() as cursor:
            ids = hand_on(cursor, batch.pk)
        for execution in Execution.objects.filter(pk__in=ids).select_related("workflow__project"):
            execution.worker_id = batch.worker_id
            lost.append(execution)
    if lost:
        _record_lost(lost)
        live.publish([live.change_of(execution) for execution in lost])
        queueing.ring()
    return Reaped(handed_on=len(lost))


def _locked(query: QuerySet[Any], limit: int | None) -> list[Execution]:
    rows = query.select_for_update(skip_locked=True, of=("self",)).select_related(
        "workflow__project"
    )
    return list(rows.order_by("id")[:limit])


def _settle(executions: Sequence[Execution]) -> Reaped:
    if not executions:
        return Reaped()
    now = database_now()
    fates: dict[str, list[Execution]] = defaultdict(list)
    for execution in executions:
        fates[_settle_one(execution, now)].append(execution)
    lost = [*fates["handed_on"], *fates["paused"]]
    _hand_on(lost)
    # Entries come last: they hold the audit log's lock until the commit.
    _record_lost(lost)
    for fate in ("cancelled", "timed_out", "poisoned"):
        _record_ends(f"execution.{fate}", fates[fate])
    live.publish([live.change_of(execution) for execution in executions])
    queueing.ring()
    return Reaped(**{fate: len(found) for fate, found in fates.items()})


def _settle_one(execution: Execution, now: datetime) -> str:
    """Return what becomes of it, and end it where that is an end."""
    if execution.status == ExecutionStatus.RUNNING:
        execution.crash_count += 1
    for fate, status, error in _ends(execution, now):
        end_execution(execution, status, error=error, now=now)
        return fate
    is_paused = execution.pause_requested_at is not None
    execution.status = ExecutionStatus.PAUSED if is_paused else ExecutionStatus.PENDING
    return "paused" if is_paused else "handed_on"


def _ends(
    execution: Execution, now: datetime
) -> Iterator[tuple[str, ExecutionStatus, dict[str, str]]]:
    if execution.cancel_requested_at is not None:
        yield "cancelled", ExecutionStatus.CANCELLED, _CANCELLED
    if _is_late(execution, now) and not _has_to_undo(execution):
        yield "timed_out", ExecutionStatus.TIMED_OUT, _TIMED_OUT
    if execution.crash_count >= MOST_CRASHES:
        yield "poisoned", ExecutionStatus.FAILED, _POISON


def _is_late(execution: Execution, now: datetime) -> bool:
    return execution.deadline_at is not None and execution.deadline_at < now


def _has_to_undo(execution: Execution) -> bool:
    """Say whether an engine has to end it, because steps of it may have to be undone."""
    steps = WorkflowStep.objects.filter(version_id=execution.version_id)
    return steps.filter(extra__has_key="undo").exists()


def _hand_on(executions: Sequence[Execution]) -> None:
    """Write all that only changes hands by one statement: a process may have held a thousand.

    ``pending`` stays: whoever claims it next decides what becomes of those effects.
    """
    ids = [execution.pk for execution in executions]
    Execution.objects.filter(pk__in=ids).update(
        status=Case(
            When(pause_requested_at=None, then=Value(ExecutionStatus.PENDING)),
            default=Value(ExecutionStatus.PAUSED),
        ),
        pause_requested_at=None,
        run_after=Now(),
        lease_until=None,
        worker_id=None,
        fence=F("fence") + 1,
        crash_count=F("crash_count") + 1,
    )
    ExecutionTimer.objects.filter(pk__in=ids).delete()


def _record_lost(executions: Sequence[Execution]) -> None:
    """Write one entry for each project and lost process, naming its executions."""
    by_holder: dict[tuple[Project, UUID | None], list[str]] = defaultdict(list)
    for execution in executions:
        by_holder[execution.workflow.project, execution.worker_id].append(str(execution.pk))
    for (project, worker_id), ids in by_holder.items():
        audit.record(
            "execution.handed_on",
            actor=_ACTOR,
            project=project,
            obj=Worker(pk=worker_id),
            detail={"executions": ids},
        )


def _record_ends(act: str, executions: Sequence[Execution]) -> None:
    for execution in executions:
        audit.record(
            act,
            actor=_ACTOR,
            project=execution.workflow.project,
            obj=execution,
            detail={"crash_count": execution.crash_count},
        )
