"""Brings in the large values of claimed executions before their runs begin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

import orjson

from leadsend.lib.errors import LeadSendError
from leadsend.lib.payloads import Reference
from runtime import payloads
from runtime.claiming import Claimed
from runtime.engine.state import StepRecord
from runtime.payloads import LostPayload, Place

# What an engine holds of large values at once, and what of it a single claim may bring.
MOST_HELD_BYTES: Final = 256 * 1024 * 1024
_MOST_AT_ONCE_BYTES: Final = 64 * 1024 * 1024

Steps = Mapping[UUID, Sequence[StepRecord]]


@dataclass(slots=True, kw_only=True)
class Brought:
    """What came of it: rows that are ready, the errors of those whose value is gone, and the rest.

    ``late`` are those whose values could not be had now, ``large_bytes`` what each one took.
    """

    rows: list[Claimed] = field(default_factory=list)
    steps: dict[UUID, Sequence[StepRecord]] = field(default_factory=dict)
    lost: dict[UUID, LostPayload] = field(default_factory=dict)
    late: list[Claimed] = field(default_factory=list)
    large_bytes: dict[UUID, int] = field(default_factory=dict)


def has_large(row: Claimed, steps: Sequence[StepRecord]) -> bool:
    """Say whether something of the execution lies in the object storage."""
    if row.event.__class__ is Reference or row.request.__class__ is Reference:
        return True
    return any(value.__class__ is Reference for value in _values(steps))


def bring_in(rows: Sequence[Claimed], steps: Steps, *, room_bytes: int) -> Brought:
    """Fetch what rows refer to, all at once and within ``payloads.PATIENCE_S``.

    No more than ``room_bytes`` of it: executions for which there is no room come later. One is
    always let in where nothing else is held, however large it is.
    """
    brought = Brought()
    room_bytes = min(room_bytes, _MOST_AT_ONCE_BYTES)
    chosen: list[tuple[Claimed, list[Place]]] = []
    taken_bytes = 0
    for row in rows:
        places = list(_places(row, steps.get(row.id, ())))
        size_bytes = sum(reference.size_bytes for _, reference in places)
        is_full = room_bytes <= 0 or (taken_bytes and taken_bytes + size_bytes > room_bytes)
        if places and is_full:
            brought.late.append(row)
            continue
        taken_bytes += size_bytes
        brought.large_bytes[row.id] = size_bytes
        chosen.append((row, places))
    found = payloads.fetch({place for _, places in chosen for place in places})
    for row, places in chosen:
        _sort(brought, row, steps.get(row.id, ()), {place: found[place] for place in places})
    return brought


def _values(steps: Sequence[StepRecord]) -> Iterator[Any]:
    for step in steps:
        yield step.output
        if _needs_input(step):
            yield step.input


def _needs_input(step: StepRecord) -> bool:
    """Say whether the step goes on from its input: a loop from its list."""
    return step.kind == "loop" and step.status == "RUNNING"


def _places(row: Claimed, steps: Sequence[StepRecord]) -> Iterator[Place]:
    for value in (row.event, row.request, *_values(steps)):
        if isinstance(value, Reference):
            yield row.project_id, value


def _sort(
    brought: Brought,
    row: Claimed,
    steps: Sequence[StepRecord],
    found: Mapping[Place, bytes | LeadSendError],
) -> None:
    errors = [value for value in found.values() if isinstance(value, LeadSendError)]
    lost = [error for error in errors if isinstance(error, LostPayload)]
    if errors and not lost:
        brought.late.append(row)
        return
    if lost:
        brought.lost[row.id] = lost[0]

    def value_of(value: Any) -> Any:
        if not isinstance(value, Reference):
            return value
        data = found[row.project_id, value]
        return orjson.loads(data) if isinstance(data, bytes) else None

    brought.rows.append(
        replace(
            row,
            event=value_of(row.event),
            request=value_of(row.request),
            data_bytes=row.data_bytes + _size(row.event) + _size(row.request),
        )
    )
    brought.steps[row.id] = [
        replace(step, output=value_of(step.output), input=value_of(step.input))
        if _needs_input(step)
        else replace(step, output=value_of(step.output))
        for step in steps
    ]


def _size(value: Any) -> int:
    return value.size_bytes if isinstance(value, Reference) else 0
