"""Ends an execution from outside the engine: by a person, by the reaper.

Whoever calls holds the row's lock. The fence goes up, so that a process that still believes to
hold the lease cannot record any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from leadsend.lib import ids
from leadsend.lib.postgres import django_connection
from runtime import called_runs, failure_handlers, turns, waits
from runtime.models import (
    FINAL_STEP,
    ConcurrencyTurn,
    Execution,
    ExecutionTimer,
    StepExecution,
    StepStatus,
)
from runtime.signals import execution_finished
from workflows.models import WorkflowStep

_UNDER_WAY: Final = {
    "code": "uncertain",
    "message": "The run ended while this step was under way, so it may have happened.",
}


def end_execution(
    execution: Execution, status: str, *, error: Mapping[str, Any], now: datetime
) -> None:
    """Put a locked, unfinished execution into a final status, and close what is open of it.

    Writes the row, closes WAITING, PENDING, RUNNING and UNCERTAIN step rows as CANCELLED, leaves a
    CANCELLED row for each effect that was under way, removes waits and timer, sees to the runs above
    and below it, starts the handler of a failure, and sends ``execution_finished``; all in the
    caller's transaction. ``error`` is ``{"code", "message"}``.
    """
    _close_steps(execution, now)
    execution.status = status
    execution.error = {"step_id": None, **error}
    execution.ended_at = max(now, execution.started_at or now)
    execution.execution_time = duration_ms(execution.started_at, execution.ended_at)
    execution.metrics = metrics_of(execution)
    execution.pending = None
    execution.lease_until = None
    execution.worker_id = None
    execution.fence += 1
    execution.save(update_fields=_WRITTEN)
    _see_to_others(execution, status, error)
    ExecutionTimer.objects.filter(pk=execution.pk).delete()
    if execution.concurrency_key is not None:
        ConcurrencyTurn.objects.filter(pk=execution.pk, is_held=True).delete()
        turns.pass_on_after_commit((execution.workflow_id, execution.concurrency_key))
    if status in failure_handlers.FAILURES:
        with connection.cursor() as cursor:
            failure_handlers.start_for(cursor, [execution.pk])
    execution_finished.send(sender=Execution, execution_ids=[execution.pk])


_WRITTEN: Final = (
    "status",
    "error",
    "ended_at",
    "execution_time",
    "metrics",
    "pending",
    "lease_until",
    "worker_id",
    "fence",
    "crash_count",
    "cancel_requested_at",
)


def _see_to_others(execution: Execution, status: str, error: Mapping[str, Any]) -> None:
    """End its waits, ask the runs it called to end, and tell the run that called it."""
    raw = django_connection()
    waits.end_waits(raw, execution.pk)
    called_runs.cancel_called(raw)
    if execution.parent_execution is not None:
        told = {"execution_id": str(execution.pk), "status": status, "output": None}
        waits.answer(raw, "execution", {str(execution.pk): {**told, "error": dict(error)}})


def database_now() -> datetime:
    """Return the database's clock, which alone decides about leases and ends. One query."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def metrics_of(execution: Execution) -> dict[str, int]:
    """Return ``{"steps", "attempts", "wait_ms", "run_ms"}`` of an execution that has ended."""
    rows = StepExecution.objects.of_execution(execution.pk)
    began = [row for row in rows.values_list("step_id", "status") if row[1] != "SKIPPED"]
    return {
        "steps": len({step_id for step_id, _ in began}),
        "attempts": len(began),
        "wait_ms": max(0, (execution.execution_time or 0) - execution.run_ms),
        "run_ms": execution.run_ms,
    }


def duration_ms(started_at: datetime | None, ended_at: datetime) -> int:
    """Return the milliseconds between two moments, 0 for what never started."""
    return int((ended_at - started_at).total_seconds() * 1000) if started_at else 0


def _close_steps(execution: Execution, now: datetime) -> None:
    rows = StepExecution.objects.of_execution(execution.pk)
    rows.exclude(status__in=FINAL_STEP).update(
        status=StepStatus.CANCELLED, ended_at=now, due_at=None
    )
    known = set(rows.values_list("id", flat=True))
    missing = [row for row in _lost_effects(execution, now) if row.pk not in known]
    StepExecution.objects.bulk_create(missing, ignore_conflicts=True)


def _lost_effects(execution: Execution, now: datetime) -> Iterator[StepExecution]:
    pending: Iterable[Mapping[str, Any]] = execution.pending or ()
    steps = _steps_of(execution.version_id, [effect["step"] for effect in pending])
    for effect in pending:
        step, item, attempt = effect["step"], effect.get("item"), effect["attempt"]
        if step not in steps:
            continue
        kind, action_key = steps[step]
        yield StepExecution(
            id=ids.step_row_id(execution.pk, step, item, attempt),
            project_id=execution.project_id,
            execution_id=execution.pk,
            step_id=step,
            kind=kind,
            action_key=action_key,
            item=item,
            attempt=attempt,
            status=StepStatus.CANCELLED,
            error=_UNDER_WAY,
            effect_key=ids.idempotency_key(execution.pk, step, item),
            started_at=execution.claimed_at,
            ended_at=now,
        )


def _steps_of(version_id: UUID, slugs: list[str]) -> dict[str, tuple[str, str]]:
    if not slugs:
        return {}
    rows = WorkflowStep.objects.filter(version_id=version_id, slug__in=slugs)
    return {slug: (kind, key) for slug, kind, key in rows.values_list("slug", "kind", "action_key")}
