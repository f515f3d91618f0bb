"""Lets events answer the steps that wait for them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson

from leadsend.lib.errors import LeadSendError
from leadsend.lib.postgres import Connection
from runtime import waits
from runtime.engine.waits import key_text
from triggers.matching import Arrival, Outcome, told
from workflows.definition.expressions.text import compile_value

_KEPT = 2000
Row = tuple[UUID, str, str, str, UUID, str]


def answer_waits(connection: Connection, arrivals: Sequence[Arrival], outcome: Outcome) -> None:
    """Answer the waits that these events are for, and say so in their fates.

    An event may start workflows as well. One that is played again, or that is meant for one
    workflow, answers nothing. Queries once where nobody waits for these topics.
    """
    meant = [a for a in arrivals if not a.replay and not (a.subscription_id or a.workflow_id)]
    by_topic: defaultdict[tuple[UUID, str], list[Arrival]] = defaultdict(list)
    for arrival in sorted(meant, key=lambda arrival: arrival.id):
        for topic in (arrival.trigger_key, arrival.source):
            if arrival.project_id is not None:
                by_topic[arrival.project_id, topic].append(arrival)
    if not by_topic:
        return
    rows: list[Row] = []
    for project_id, topic, match in waits.matches_for(connection, list(by_topic)):
        rows += _keyed(by_topic[project_id, topic], project_id, topic, match)
    answered = Counter(waits.answer_events(connection, rows))
    started = Counter(start.arrival.event_id for start in outcome.starts)
    for event_id, count in answered.items():
        outcome.fates[event_id] = _fate(count, started[event_id])


def _keyed(arrivals: Sequence[Arrival], project_id: UUID, topic: str, match: str) -> Iterator[Row]:
    for arrival in arrivals:
        try:
            key = key_text(_compiled(match)(arrival.scope())) if match else ""
        except LeadSendError:
            continue  # An event without this field is about something else.
        if match and not key:
            continue
        yield project_id, topic, match, key, arrival.event_id, _said(arrival)


def _said(arrival: Arrival) -> str:
    # Of a large event the answer holds the data itself: a reference counts as a whole column only.
    is_plain = not arrival.is_large
    data = orjson.Fragment(arrival.data_text or "{}") if is_plain else arrival.scope()["event"]
    said = {"event": data, "event_id": arrival.event_id, "received_at": arrival.received_at}
    return orjson.dumps(said).decode()


def _fate(count: int, started: int) -> dict[str, str]:
    runs = "a waiting run" if count == 1 else f"{count} waiting runs"
    if not started:
        return told("answered_waits", f"It answered {runs}.")
    new = "one run" if started == 1 else f"{started} runs"
    return told("answered_waits", f"It started {new} and answered {runs}.")


@lru_cache(maxsize=_KEPT)
def _compiled(match: str) -> Callable[[Mapping[str, Any]], Any]:
    return compile_value(match)
