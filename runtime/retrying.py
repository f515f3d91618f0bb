"""Makes the new execution of a retry: what is taken over from the old one, what runs again.

What is done stays done, unless it comes after the step that the retry starts from. Rows that were
taken over keep their times, so they began before the new execution was created.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from leadsend.lib import ids
from leadsend.lib.errors import Conflict, InvalidInput, Problem
from runtime.ending import database_now
from runtime.models import Execution, StepExecution
from runtime.signals import execution_started
from workflows.definition import canonical
from workflows.definition.graph import Graph
from workflows.models import WorkflowVersion

_TAKEN_OVER: Final = (
    "project_id",
    "workflow_id",
    "subscription_id",
    "trigger_event_id",
    "trigger_key",
    "trigger_type",
    "priority",
    "context_data",
    "request_data",
    "business_key",
    "replay",
)
_COPIED: Final = (
    "project_id",
    "step_id",
    "kind",
    "action_key",
    "item",
    "branch",
    "status",
    "input_data",
    "result_data",
    "error",
    "effect_key",
    "created_at",
    "started_at",
    "ended_at",
    "execution_time",
)


def open_retry(execution: Execution) -> Execution | None:
    """Return the retry of this execution that has not ended yet, if there is one."""
    retries = Execution.objects.filter(retry_of=execution.pk).unfinished().with_workflow()
    newest: Execution | None = retries.order_by("-id").first()
    return newest


def begin_again(execution: Execution, *, from_step: str | None, is_live: bool) -> Execution:
    """Insert the new execution, PENDING, with the step rows that it takes over.

    ``execution`` is locked and final. Sends ``execution_started``. Raises Conflict when no version
    is live, InvalidInput when the version has no step ``from_step``.
    """
    version = _version(execution, is_live)
    document = canonical.load(version.document)
    graph = Graph.of(document)
    if from_step is not None and from_step not in graph.steps:
        raise _no_step(from_step, graph)
    now = database_now()
    begun = Execution(
        id=ids.uuid7(int(now.timestamp() * 1000)),
        version=version,
        workflow=execution.workflow,
        status="PENDING",
        run_after=now,
        created_at=now,
        retry_of=execution.pk,
        timeout_s=(document.get("settings") or {}).get("timeout_s") or execution.timeout_s,
        **{name: getattr(execution, name) for name in _TAKEN_OVER if name != "workflow_id"},
    )
    begun.save(force_insert=True)
    rows = _taken_over(execution, graph, from_step)
    StepExecution.objects.bulk_create([_copy(row, begun) for row in rows])
    execution_started.send(sender=Execution, execution_ids=[begun.pk])
    begun.refresh_from_db(from_queryset=Execution.objects.with_workflow())
    return begun


def _version(execution: Execution, is_live: bool) -> WorkflowVersion:
    if not is_live:
        return execution.version
    version: WorkflowVersion | None = execution.workflow.live_version
    if version is None:
        raise Conflict("The workflow has no live version: publish it first.", code="not_live")
    return version


def _no_step(from_step: str, graph: Graph) -> InvalidInput:
    message = f"There is no step {from_step!r}; the steps are {', '.join(graph.steps)}."
    return InvalidInput(
        message, problems=[Problem(code="unknown_step", message=message, path="/from_step")]
    )


def _taken_over(
    execution: Execution, graph: Graph, from_step: str | None
) -> Iterator[StepExecution]:
    latest: dict[tuple[str, int | None], StepExecution] = {}
    rows = StepExecution.objects.of_execution(execution.pk)
    for row in rows.order_by("again", "attempt"):
        latest[row.step_id, row.item] = row
    done = {key: row for key, row in latest.items() if _is_done(row)}
    begin = {from_step} if from_step is not None else _not_done(latest.values(), graph)
    if from_step is None and execution.status == "SUCCESS":
        begin = set(graph.steps)
    again = _and_after(begin, graph)
    for row in done.values():
        step = graph.steps.get(row.step_id)
        if step is not None and row.step_id not in again and step.get("kind") == row.kind:
            yield row


def _not_done(rows: Collection[StepExecution], graph: Graph) -> set[str]:
    return {row.step_id for row in rows if row.step_id in graph.steps and not _is_done(row)}


def _is_done(row: StepExecution) -> bool:
    if row.status == "FAILED":
        return row.branch == "error" and row.due_at is None
    return row.status in ("SUCCESS", "SKIPPED")


def _and_after(begin: Collection[str], graph: Graph) -> set[str]:
    seen: set[str] = set()
    ahead = list(begin)
    while ahead:
        step = ahead.pop()
        if step not in seen:
            seen.add(step)
            ahead.extend(graph.successors(step))
    return seen


def _copy(row: StepExecution, begun: Execution) -> StepExecution:
    return StepExecution(
        id=ids.step_row_id(begun.pk, row.step_id, row.item, 1),
        execution_id=begun.pk,
        attempt=1,
        **{name: getattr(row, name) for name in _COPIED},
    )
