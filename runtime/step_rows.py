"""The rows of steps: new ones by COPY, known ones one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, Final
from uuid import UUID

from leadsend.lib.payloads import Oversized
from leadsend.lib.postgres import Connection
from runtime.copying import NULL, copy_in, json, milliseconds, moment, number, text, uuid
from runtime.engine.state import StepRecord
from runtime.hiding import hidden
from runtime.outgrowing import MOST_STATE_BYTES, Outgrown
from runtime.placing import placed_json
from runtime.runs import Run
from runtime.storable import payload_json, to_json


@dataclass(slots=True, kw_only=True)
class _Rows:
    """The rows of one commit: lines of COPY, rows known before, and loops that go on."""

    new: list[str] = field(default_factory=list)
    changed: list[tuple[Any, ...]] = field(default_factory=list)
    loops: list[tuple[Any, ...]] = field(default_factory=list)


def write(connection: Connection, runs: Sequence[Run]) -> None:
    """Write all that is not recorded of the steps of runs. Raises Outgrown."""
    rows = _Rows()
    for run in runs:
        # A record that came later in the same commit replaces an earlier one of the same attempt.
        latest = {(step.step_id, step.item, step.attempt): step for step in run.unsaved}
        grown_bytes = 0
        for step in latest.values():
            row_id = run.row_id(step)
            try:
                grown_bytes += _add(rows, run, row_id, step)
            except Oversized:
                grown_bytes += _add(rows, run, row_id, step, dumped=partial(placed_json, run=run))
                grown_bytes += len(to_json(step.output) or "")
        if run.state_bytes + grown_bytes > MOST_STATE_BYTES and not run.is_weighed:
            raise Outgrown(run)
        run.grown_bytes = grown_bytes
    if rows.new:
        copy_in(connection, _COPY, rows.new)
    for statement, changed in ((_UPSERT, rows.changed), (_GO_ON, rows.loops)):
        if changed:
            with connection.cursor() as cursor:
                cursor.executemany(statement, changed)


def _add(
    rows: _Rows,
    run: Run,
    row_id: UUID,
    step: StepRecord,
    *,
    dumped: Callable[[Any], str | None] = payload_json,
) -> int:
    """Add a step's row; return by how much, at most, what expressions can see grew by it."""
    is_open = bool(run.open_rows) and row_id in run.open_rows
    if is_open and step.kind == "loop":
        going_on = _loop_row(run, row_id, step, dumped=dumped)
        rows.loops.append(going_on)
        return len(going_on[2] or "")
    if run.is_tried_again or is_open:
        row = _step_row(run, row_id, step, dumped=dumped)
        rows.changed.append(row)
        grown = len(row[_OUTPUT] or "")
    else:
        fresh = _step_line(run, row_id, step, dumped=dumped)
        rows.new.append(fresh)
        grown = len(fresh)
    # What a step in a loop comes to leaves memory with its item.
    return grown if step.item is None else 0


def _loop_row(
    run: Run,
    row_id: UUID,
    step: StepRecord,
    *,
    dumped: Callable[[Any], str | None] = payload_json,
) -> tuple[Any, ...]:
    """Return what changes while a loop goes on: never its list, which may be long."""
    return (
        step.status,
        step.branch,
        dumped(hidden(run, step.output)),
        to_json(hidden(run, step.error)),
        step.due_at,
        step.ended_at,
        milliseconds(step.started_at, step.ended_at),
        row_id,
    )


def count(connection: Connection, runs: Sequence[Run]) -> None:
    """Count the rows of runs of which memory does not hold all: loops of several claims."""
    for run in runs:
        if run.finish and run.compiled.plan.has_loops and not run.claimed.is_fresh:
            low = run.id.int >> 80 << 80
            bounds = [UUID(int=low), UUID(int=low + (1 << 80) - 1), run.id]
            run.counted = connection.execute(_COUNT, bounds).fetchone()


# Where the output stands in a step's row.
_OUTPUT: Final = 12


def _step_row(
    run: Run,
    row_id: UUID,
    step: StepRecord,
    *,
    dumped: Callable[[Any], str | None] = payload_json,
) -> tuple[Any, ...]:
    return (
        row_id,
        run.claimed.project_id,
        run.id,
        step.step_id,
        step.kind,
        step.action_key,
        step.item,
        step.attempt,
        step.again,
        step.status,
        step.branch,
        dumped(hidden(run, step.input)),
        dumped(hidden(run, step.output)),
        to_json(hidden(run, step.error)),
        step.effect_key,
        step.due_at,
        step.started_at,
        step.ended_at,
        milliseconds(step.started_at, step.ended_at),
    )


def _step_line(
    run: Run,
    row_id: UUID,
    step: StepRecord,
    *,
    dumped: Callable[[Any], str | None] = payload_json,
) -> str:
    given, output, error = step.input, step.output, step.error
    if run.secrets:
        given, output, error = (hidden(run, value) for value in (given, output, error))
    # One text, and what a run's steps share is escaped once: a batch has a thousand steps.
    return (
        f"{row_id.int:032x}\t{run.claimed.project_id.int:032x}\t{run.claimed.id.int:032x}\t"
        f"{_name(step.step_id, step.kind, step.action_key)}\t"
        f"{NULL if step.item is None else text(step.item)}\t{step.attempt}\t{step.again}\t"
        f"{step.status}\t{text(step.branch)}\t{json(dumped(given))}\t{json(dumped(output))}\t"
        f"{json(to_json(error))}\t{uuid(step.effect_key)}\t{moment(step.due_at)}\t"
        f"{moment(step.started_at)}\t{moment(step.ended_at)}\t"
        f"{number(milliseconds(step.started_at, step.ended_at))}\n"
    )


@lru_cache(maxsize=4096)
def _name(step_id: str, kind: str, action_key: str) -> str:
    return "\t".join((text(step_id), text(kind), text(action_key)))


_STEP_COLUMNS: Final = (
    "id, project_id, execution_id, step_id, kind, action_key, item, attempt, again, status, "
    "branch, input_data, result_data, error, effect_key, due_at, started_at, ended_at, "
    "execution_time"
)
_COPY: Final = f"COPY step_execution ({_STEP_COLUMNS}) FROM STDIN"
_UPSERT: Final = f"""
INSERT INTO step_execution AS known ({_STEP_COLUMNS})
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s::jsonb, %s::jsonb,
        %s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET
  status = EXCLUDED.status, branch = EXCLUDED.branch, input_data = EXCLUDED.input_data,
  result_data = EXCLUDED.result_data, error = EXCLUDED.error, due_at = EXCLUDED.due_at,
  again = EXCLUDED.again, ended_at = EXCLUDED.ended_at, execution_time = EXCLUDED.execution_time
WHERE known.status NOT IN ('SUCCESS', 'FAILED', 'SKIPPED', 'CANCELLED', 'TIMED_OUT')
"""  # noqa: S608 - the columns are a constant
_GO_ON: Final = """
UPDATE step_execution SET status = %s, branch = %s, result_data = %s::jsonb, error = %s::jsonb,
  due_at = %s, ended_at = %s, execution_time = %s
WHERE id = %s AND status NOT IN ('SUCCESS', 'FAILED', 'SKIPPED', 'CANCELLED', 'TIMED_OUT')
"""
# Neither the rows of items nor loops inside of loops count as steps.
_COUNT: Final = """
SELECT count(DISTINCT (step_id, item)), count(*) FROM step_execution
 WHERE id >= %s AND id <= %s AND execution_id = %s AND status <> 'SKIPPED'
   AND (kind <> 'loop' OR item IS NULL)
"""
