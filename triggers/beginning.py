"""Chooses which executions begin at once, in the memory of the process that took their events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from runtime.starts import Start as Beginning
from runtime.starts import Target as Kind
from runtime.starts import Terms
from triggers.matching import Start, Target


def split(starts: Sequence[Start], terms: Terms | None) -> tuple[list[Start], list[Start]]:
    """Return those that begin now and those that wait for their turn in the queue.

    A replay waits: its number is its identity, and somebody may have asked for it twice. So does
    whatever the settings of its workflow may hold back, and an event that takes much memory.
    """
    if terms is None:
        return [], list(starts)
    now: list[Start] = []
    later: list[Start] = []
    held = Counter(terms.held)
    for start in starts:
        workflow, is_new = start.target.workflow_id, not start.arrival.replay
        may = len(now) < terms.room and start.target.begins_at_once and is_new
        may = may and not start.arrival.is_large
        if may and held[workflow] < terms.most_each:
            held[workflow] += 1
            now.append(start)
        else:
            later.append(start)
    return now, later


def starts(chosen: Sequence[Start]) -> list[Beginning]:
    """Return them as the engine knows them."""
    kinds: dict[tuple[int, str, str], Kind] = {}
    return [_beginning(start, kinds) for start in chosen]


def _beginning(start: Start, kinds: dict[tuple[int, str, str], Kind]) -> Beginning:
    arrival, target = start.arrival, start.target
    key = (id(target), arrival.trigger_key, arrival.trigger_type)
    kind = kinds.get(key)
    if kind is None:
        kind = kinds[key] = _kind(target, arrival.trigger_key, arrival.trigger_type, start)
    return Beginning(
        execution_id=start.execution_id,
        event_id=arrival.event_id,
        target=kind,
        business_key=start.business_key,
        replay=arrival.replay,
        received_at=arrival.received_at,
        event=arrival.data_text,
        request=arrival.request_text,
    )


def _kind(target: Target, trigger_key: str, trigger_type: str, start: Start) -> Kind:
    if target.version_id is None:
        raise ValueError("A workflow without a live version starts nothing.")
    return Kind(
        project_id=target.project_id,
        workflow_id=target.workflow_id,
        version_id=target.version_id,
        subscription_id=target.subscription_id,
        trigger_key=target.trigger_key or trigger_key,
        trigger_type=trigger_type,
        timeout_s=start.timeout_s,
    )
