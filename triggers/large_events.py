"""Events whose data lie in the object storage: brought in for their filters, or looked at later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from leadsend.lib.errors import LeadSendError
from leadsend.lib.ids import uuid7
from leadsend.lib.payloads import Reference
from leadsend.lib.postgres import Connection
from runtime import payloads
from runtime.payloads import LostPayload
from triggers.matching import Arrival

# Behind everything that waits now, under a new key: the head of the inbox stays free.
_PUT_BACK: Final = """
INSERT INTO trigger_inbox (id, event_id, subscription_id, workflow_id, replay, received_at)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::int[], %s::timestamptz[])
"""


def bring_in(arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Fetch what filters may look at; return those whose data cannot be had now.

    Waits ``payloads.PATIENCE_S`` at most, and only for large events. Raises LostPayload when an
    object is gone: then the event keeps that as its fate.
    """
    large = {arrival.id: arrival.large() for arrival in arrivals if arrival.is_large}
    if not any(large.values()):
        return []
    places = [
        (_project(arrival), reference)
        for arrival in arrivals
        for reference in large.get(arrival.id, ())
    ]
    found = payloads.fetch(places)
    late = []
    for arrival in arrivals:
        mine = {one: found[_project(arrival), one] for one in large.get(arrival.id, ())}
        if mine and not _taken_in(arrival, mine):
            late.append(arrival)
    return late


def put_back(connection: Connection, arrivals: Sequence[Arrival]) -> None:
    """Let events wait in the inbox for another pass."""
    rows = [
        (uuid7(), one.event_id, one.subscription_id, one.workflow_id, one.replay, one.received_at)
        for one in arrivals
    ]
    connection.execute(_PUT_BACK, [list(column) for column in zip(*rows, strict=True)])


def _taken_in(arrival: Arrival, found: dict[Reference, bytes | LeadSendError]) -> bool:
    data: dict[Reference, bytes] = {}
    for reference, value in found.items():
        if isinstance(value, LostPayload):
            raise value
        if isinstance(value, LeadSendError):
            return False
        data[reference] = value
    arrival.bring_in(data)
    return True


def _project(arrival: Arrival) -> UUID:
    project_id: UUID = arrival.project_id  # type: ignore[assignment]  # it has its event
    return project_id
