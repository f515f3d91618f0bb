"""What a person's decision about an UNCERTAIN step does to its row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

from registry.catalog import catalog
from runtime.ending import duration_ms
from runtime.engine.outcomes import Verdict, settle
from runtime.engine.plan import compile_plan
from runtime.engine.state import RunInfo, RunState, StepRecord
from runtime.models import Execution, StepExecution
from workflows.definition import canonical

Decision = Literal["done", "run_again", "failed"]
_VERDICTS: Final[Mapping[Decision, Verdict]] = {
    "done": "succeeded",
    "run_again": "run_again",
    "failed": "failed",
}


def is_decided(row: StepExecution, decision: Decision) -> bool:
    """Say whether this decision was taken before, so that asking again changes nothing."""
    if decision == "done":
        return row.status == "SUCCESS"
    return row.status == "FAILED" and (row.error or {}).get("decision") == decision


def decided_record(
    execution: Execution,
    row: StepExecution,
    decision: Decision,
    *,
    reason: str,
    output: Any = None,
    now: datetime,
) -> StepRecord:
    """Return the record that the engine's rules make of the decision; nothing is written.

    ``output`` is what the step came to, as the person says; with ``done`` only.

    Raises Conflict when the step is not UNCERTAIN, ConfigurationError when the version cannot be
    run any more.
    """
    plan = compile_plan(canonical.load(execution.version.document), catalog())
    state = RunState(run=_run_info(execution))
    state.latest[(row.step_id, row.item)] = record_of(row)
    key = (row.step_id, row.item)
    return settle(plan, state, key, _VERDICTS[decision], output=output, reason=reason, now=now)


def write_record(row: StepExecution, record: StepRecord) -> None:
    """Save what a record says into the row of its attempt."""
    row.status = record.status
    row.branch = record.branch
    row.result_data = record.output
    row.error = None if record.error is None else dict(record.error)
    row.again = record.again
    row.due_at = record.due_at
    row.ended_at = record.ended_at
    if record.ended_at is not None:
        row.execution_time = duration_ms(record.started_at, record.ended_at)
    row.save(
        update_fields=[
            "status",
            "branch",
            "result_data",
            "error",
            "again",
            "due_at",
            "ended_at",
            "execution_time",
        ]
    )


def record_of(row: StepExecution) -> StepRecord:
    """Return a row as the engine knows it."""
    return StepRecord(
        step_id=row.step_id,
        kind=row.kind,
        status=row.status,  # type: ignore[arg-type]  # the check constraint knows the same names
        attempt=row.attempt,
        item=row.item,
        action_key=row.action_key,
        branch=row.branch,
        input=row.input_data,
        output=row.result_data,
        error=row.error,
        started_at=row.started_at,
        ended_at=row.ended_at,
        due_at=row.due_at,
        effect_key=row.effect_key,
        again=row.again,
    )


def _run_info(execution: Execution) -> RunInfo:
    # No expression is evaluated here, so only the ids count.
    return RunInfo(
        execution_id=execution.pk,
        workflow_id=execution.workflow_id,
        project_id=execution.project_id,
        workflow_name="",
        run_url="",
        started_at=execution.created_at,
        event=None,
    )
