"""What earlier claims wrote of an execution's steps, as much of it as is needed to go on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from leadsend.lib.ids import step_row_id
from leadsend.lib.postgres import Connection
from runtime.claiming import COLUMNS, load_steps, record_of
from runtime.engine.plan import Plan, PlanStep
from runtime.engine.state import StepKey, StepRecord


class _Place(NamedTuple):
    """Where a row may be."""

    execution: UUID
    step: PlanStep
    item: str | None
    attempt: int


def load_known(
    connection: Connection, plans: Mapping[UUID, Plan], *, retries: Collection[UUID] = ()
) -> dict[UUID, list[StepRecord]]:
    """Return the step rows of executions, by execution.

    Of a loop only the rows of open items are read, by their ids: however many items are through,
    that costs the same. Of ``retries`` also what is kept in reserve for items still to come.
    """
    plain = [execution for execution, plan in plans.items() if not plan.has_loops]
    found = load_steps(connection, plain)
    looping = {execution: plan for execution, plan in plans.items() if plan.has_loops}
    if looping:
        found |= _with_open_items(connection, looping)
    for execution in looping.keys() & set(retries):
        rows = connection.execute(_IN_RESERVE, _bounds(execution)).fetchall()
        found[execution] += [record_of(row) for row in rows]
    return found


def load_items(
    connection: Connection, execution: UUID, keys: Iterable[StepKey]
) -> dict[StepKey, list[StepRecord]]:
    """Return what the settled items of loops came to, by the loop's key."""
    found: dict[StepKey, list[StepRecord]] = {}
    for step_id, item in keys:
        below = "%" if item is None else f"{item}.%"
        values = {**_bounds(execution), "step": step_id, "below": below}
        rows = connection.execute(_ITEMS, values).fetchall()
        found[step_id, item] = [record_of(row) for row in rows]
    return found


def _bounds(execution: UUID) -> dict[str, UUID]:
    low = execution.int >> 80 << 80
    return {"execution": execution, "low": UUID(int=low), "high": UUID(int=low + (1 << 80) - 1)}


def _with_open_items(
    connection: Connection, plans: Mapping[UUID, Plan]
) -> dict[UUID, list[StepRecord]]:
    found: dict[UUID, list[StepRecord]] = {execution: [] for execution in plans}
    wanted = [
        _Place(execution, step, None, 1)
        for execution, plan in plans.items()
        for step in (*plan.steps, *plan.undo.values())
    ]
    while wanted:
        more: list[_Place] = []
        for place, record in _fetch(connection, wanted):
            found[place.execution].append(record)
            more += _behind(place, record)
        wanted = more
    return found


def _behind(place: _Place, record: StepRecord) -> Iterator[_Place]:
    """Yield where there may be rows because of this one: the next attempt, the open items."""
    execution, step, item, attempt = place
    if record.status == "FAILED" and record.due_at is not None:
        yield _Place(execution, step, item, attempt + 1)
    elif step.loop is not None and record.status == "RUNNING":
        for index in record.output["open"]:
            path = str(index) if item is None else f"{item}.{index}"
            for inner in step.loop.body:
                yield _Place(execution, inner, path, 1)


def _fetch(connection: Connection, places: Sequence[_Place]) -> Iterator[tuple[_Place, StepRecord]]:
    by_id = {step_row_id(p.execution, p.step.id, p.item, p.attempt): p for p in places}
    rows = connection.execute(_BY_ID, [list(by_id)]).fetchall()
    for row in rows:
        yield by_id[row[-1]], record_of(row)


_BY_ID: Final = f"SELECT {COLUMNS}, s.id FROM step_execution s WHERE s.id = ANY(%s)"  # noqa: S608
_ITEMS: Final = f"""
SELECT {COLUMNS} FROM step_execution s
 WHERE s.id >= %(low)s AND s.id <= %(high)s AND s.execution_id = %(execution)s
   AND s.step_id = %(step)s AND s.item LIKE %(below)s
"""  # noqa: S608 - the columns are a constant
_IN_RESERVE: Final = f"""
SELECT {COLUMNS} FROM step_execution s
 WHERE s.id >= %(low)s AND s.id <= %(high)s AND s.execution_id = %(execution)s
   AND s.item IS NOT NULL AND s.status = 'PENDING' AND s.branch <> ''
"""  # noqa: S608 - the columns are a constant
