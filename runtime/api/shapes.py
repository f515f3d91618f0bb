"""What the API answers with, as plain JSON, under the overview document's field names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from leadsend.lib.payloads import Reference
from runtime import payloads
from runtime.models import BulkItem, BulkJob, Execution, StepExecution, Task

JSON = dict[str, Any]
# What helps whoever runs the installation, and nobody else.
_KEPT_BACK = frozenset({"traceback"})


def execution(row: Execution) -> JSON:
    """Return an execution; durations are in milliseconds, large values are links."""
    return {
        "id": row.pk,
        "project_id": row.project_id,
        "workflow_id": row.workflow_id,
        "version_id": row.version_id,
        "trigger_event_id": row.trigger_event_id,
        "trigger_type": row.trigger_type,
        "trigger_key": row.trigger_key,
        "status": row.status,
        "context_data": value(row.context_data, row.pk),
        "business_key": row.business_key,
        "error": error(row.error),
        "output": value(row.output, row.pk),
        "metrics": row.metrics,
        "retry_of": row.retry_of,
        "parent_execution": row.parent_execution,
        "parent_step": row.parent_step,
        "parent_item": row.parent_item,
        "depth": row.depth,
        "lineage": row.lineage,
        "replay": row.replay,
        "cancel_requested_at": row.cancel_requested_at,
        "pause_requested_at": row.pause_requested_at,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "execution_time": row.execution_time,
    }


def execution_detail(row: Execution) -> JSON:
    """Return an execution with its values as a whole, from the object storage where they lie."""
    large = {
        name: payloads.whole(getattr(row, name), project_id=row.project_id)
        for name in ("context_data", "output")
    }
    return {**execution(row), **large}


def value(stored: Any, execution_id: UUID) -> Any:
    """Return a value, or of a large one ``{"$payload": {"bytes", "sha256", "url"}}``."""
    if not isinstance(stored, Reference):
        return stored
    url = f"/api/v1/executions/{execution_id}/payloads/{stored.sha256}/"
    return {"$payload": {"bytes": stored.size_bytes, "sha256": stored.sha256, "url": url}}


def step(row: StepExecution, run: Execution) -> JSON:
    """Return one attempt of a step; ``is_carried_over`` says that another run's result was kept."""
    return {
        "id": row.pk,
        "run_id": row.execution_id,
        "step_id": row.step_id,
        "kind": row.kind,
        "action_key": row.action_key,
        "item": row.item,
        "attempt": row.attempt,
        "status": row.status,
        "branch": row.branch,
        "input_data": value(row.input_data, row.execution_id),
        "result_data": value(row.result_data, row.execution_id),
        "error": error(row.error),
        "due_at": row.due_at,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "execution_time": row.execution_time,
        "is_carried_over": run.retry_of is not None and row.created_at < run.created_at,
    }


def bulk_job(row: BulkJob) -> JSON:
    """Return how far an act on many runs is; ``created_by`` must be fetched along."""
    return {
        "id": row.pk,
        "project_id": row.project_id,
        "act": row.act,
        "filter": row.filter,
        "options": row.options,
        "per_second": row.per_second,
        "status": row.status,
        "total": row.total,
        "done": row.done,
        "refused": row.refused,
        "error": row.error,
        "created_by": row.created_by.email if row.created_by else None,
        "created_at": row.created_at,
        "ended_at": row.ended_at,
    }


def bulk_item(row: BulkItem) -> JSON:
    """Return what became of one run of a bulk job."""
    return {
        "execution_id": row.execution_id,
        "status": row.status,
        "message": row.message,
        "result_id": row.result_id,
    }


def task(row: Task) -> JSON:
    """Return a to-do; ``team`` (its key) must be fetched along."""
    return {
        "id": row.pk,
        "project_id": row.project_id,
        "title": row.title,
        "description": row.description,
        "status": row.status,
        "priority": row.priority,
        "assignee_id": row.assignee_id,
        "team": row.team.key if row.team else None,
        "due_at": row.due_at,
        "workflow_id": row.workflow_id,
        "execution_id": row.execution_id,
        "step_id": row.step_id,
        "business_key": row.business_key,
        "form": row.form,
        "answer": row.answer,
        "completed_by_id": row.completed_by_id,
        "completed_at": row.completed_at,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def error(stored: Mapping[str, Any] | None) -> JSON | None:
    """Return an error as it is shown: ``{"code", "message", …}`` without its traceback."""
    if stored is None:
        return None
    return {key: value for key, value in stored.items() if key not in _KEPT_BACK}
