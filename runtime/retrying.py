"""Makes the new execution of a retry: what is taken over from the old one, what runs again.

``keeping`` says which results are kept. Rows that were taken over keep their times, so they began
before the new execution was created; those kept in reserve are PENDING until it comes to their step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

from leadsend.lib import ids
from leadsend.lib.errors import Conflict, InvalidInput, Problem
from registry.catalog import catalog
from runtime import payloads, turns
from runtime.ending import database_now
from runtime.keeping import ALL, Kept, Wish, keep
from runtime.models import Execution, StepExecution
from runtime.signals import execution_started
from workflows.definition import upgrades
from workflows.definition.graph import Graph
from workflows.models import WorkflowVersion

Kind = Literal["retry", "replay"]
VersionChoice = Literal["original", "live"]
_TAKEN_OVER: Final = (
    "project_id",
    "subscription_id",
    "trigger_event_id",
    "trigger_key",
    "trigger_type",
    "priority",
    "context_data",
    "request_data",
    "business_key",
    "replay",
    "depth",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What somebody asked for. ``event`` replaces the event's data; None leaves it as it was."""

    kind: Kind = "retry"
    wish: Wish
    version: VersionChoice = "original"
    event: Mapping[str, Any] | None = None
    by: str = ""
    bulk_job: UUID | None = None

    def lineage(self) -> dict[str, Any]:
        """Return ``{"kind", "by", "from_step", "run_again", "version", "is_event_edited"}``."""
        return {
            "kind": self.kind,
            "by": self.by,
            "from_step": self.wish.from_step,
            "run_again": sorted(self.wish.run_again),
            "version": self.version,
            "is_event_edited": self.event is not None,
            "bulk_job": str(self.bulk_job) if self.bulk_job else None,
        }

    def is_said_by(self, lineage: Mapping[str, Any] | None) -> bool:
        """Say whether an execution with this lineage is what is asked for."""
        mine, known = self.lineage(), lineage or {}
        return all(known.get(name) == mine[name] for name in mine.keys() - {"by"})


def open_retry(execution: Execution, again: Again) -> Execution | None:
    """Return the new execution that the same wish led to and that has not ended yet, if any.

    Raises Conflict when another wish is under way: one lead must not go two ways at once.
    """
    retries = Execution.objects.filter(retry_of=execution.pk).unfinished().with_workflow()
    newest: Execution | None = retries.order_by("-id").first()
    if newest is None:
        return None
    event = execution.context_data if again.event is None else again.event
    if newest.context_data == event and again.is_said_by(newest.lineage):
        return newest
    raise Conflict(
        f"This run is being tried again in another way: wait for run {newest.pk}, or cancel it.",
        code="retry_open",
    )


def begin_again(execution: Execution, again: Again) -> Execution:
    """Insert the new execution with the step rows that it takes over; PENDING, or in line.

    ``execution`` is locked and final. Sends ``execution_started``. Raises Conflict when no version
    is live, InvalidInput when the version has no step of a name that was given.
    """
    version = _version(execution, again.version)
    document = upgrades.read(version.document)
    graph = Graph.of(document)
    _check_names(again.wish, graph)
    rows = StepExecution.objects.of_execution(execution.pk)
    kept = keep(rows, graph, again.wish, catalog=catalog())
    begun = _insert(execution, version, document, again, kept)
    copies = [_copy(row, begun) for row in kept.settled]
    copies += [_copy(row, begun, status="PENDING") for row in kept.in_reserve]
    StepExecution.objects.bulk_create(copies, batch_size=1000)
    execution_started.send(sender=Execution, execution_ids=[begun.pk])
    begun.refresh_from_db(from_queryset=Execution.objects.with_workflow())
    return begun


def _insert(
    execution: Execution,
    version: WorkflowVersion,
    document: Mapping[str, Any],
    again: Again,
    kept: Kept,
) -> Execution:
    now = database_now()
    settings = document.get("settings") or {}
    rule = settings.get("concurrency") if execution.concurrency_key is not None else None
    values = {name: getattr(execution, name) for name in _TAKEN_OVER}
    if again.event is not None:
        # What it is about is read from the event anew.
        event = payloads.offloaded(dict(again.event), project_id=execution.project_id)
        values |= {"context_data": event, "business_key": ""}
    begun = Execution(
        id=ids.uuid7(int(now.timestamp() * 1000)),
        version=version,
        workflow=execution.workflow,
        status="WAITING" if rule else "PENDING",
        concurrency_key=execution.concurrency_key if rule else None,
        run_after=now,
        created_at=now,
        retry_of=execution.pk,
        lineage=again.lineage() | {"kept": kept.step_ids},
        timeout_s=settings.get("timeout_s") or execution.timeout_s,
        **values,
    )
    begun.save(force_insert=True)
    if rule:
        turns.succeed(execution, begun, rule)
    elif execution.concurrency_key is not None:
        turns.release(execution)
    return begun


def _version(execution: Execution, choice: VersionChoice) -> WorkflowVersion:
    if choice == "original":
        return execution.version
    version: WorkflowVersion | None = execution.workflow.live_version
    if version is None:
        raise Conflict("The workflow has no live version: publish it first.", code="not_live")
    return version


def _check_names(wish: Wish, graph: Graph) -> None:
    given = [("/from_step", wish.from_step)] if wish.from_step else []
    given += [("/run_again", step) for step in sorted(wish.run_again - {ALL})]
    unknown = [(path, step) for path, step in given if step not in graph.steps]
    if not unknown:
        return
    message = f"There is no step {unknown[0][1]!r}; the steps are {', '.join(graph.steps)}."
    problems = [Problem(code="unknown_step", message=message, path=path) for path, _ in unknown]
    raise InvalidInput(message, problems=problems)


def _copy(row: StepExecution, begun: Execution, *, status: str | None = None) -> StepExecution:
    values = {name: getattr(row, name) for name in _COPIED}
    return StepExecution(
        id=ids.step_row_id(begun.pk, row.step_id, row.item, 1),
        execution_id=begun.pk,
        attempt=1,
        **(values if status is None else values | {"status": status}),
    )
