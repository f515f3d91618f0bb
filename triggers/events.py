"""What is handed to the inbox and what comes back, and the one statement that stores events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any
from uuid import UUID

from leadsend.lib import ids
from leadsend.lib.input_guard import clean_text
from leadsend.lib.payloads import Reference, encode
from runtime import payloads
from triggers import lanes

MAX_KEY = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """Something that happened, not stored yet.

    ``source`` says where it came from (``Subscription.source``); ``dedupe_key`` is the identity
    the sender gave it within that source. ``data`` and ``request`` are JSON that went through the
    input guard or was made by us, or a Reference to such. ``subscription_id`` or ``workflow_id`` limit what it starts.
    ``event_id`` is made up here, so that a lost answer to a commit can be read again.
    """

    project_id: UUID
    trigger_key: str
    trigger_type: str
    source: str
    data: Any
    request: Mapping[str, Any] | Reference | None = None
    dedupe_key: str | None = None
    subscription_id: UUID | None = None
    workflow_id: UUID | None = None
    replay: int = 0
    event_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The answer to an event: ``answer`` is ``{"event_id"}`` of the first one with its key."""

    event_id: UUID
    is_repeat: bool
    answer: Mapping[str, Any] = field(default_factory=dict)


# One statement, so one commit holds key, event and inbox row, or none of them. Every part gives
# way to what is there already: saying it again with the same ids changes nothing. Parameters go in
# binary form (%b): writing JSON into the text form of an array costs 27 µs an event, this 4.
INSERT = """
WITH incoming AS (
  SELECT * FROM unnest(%b::uuid[], %b::uuid[], %b::text[], %b::text[], %b::text[], %b::text[],
                       %b::text[], %b::text[], %b::uuid[], %b::uuid[], %b::int[], %b::uuid[])
    AS t(event_id, project_id, trigger_key, trigger_type, source, data, request, dedupe_key,
         subscription_id, workflow_id, replay, place)
), keyed AS (
  INSERT INTO event_key (id, project_id, source, key, event_id, answer)
  SELECT event_id, project_id, source, dedupe_key, event_id,
         jsonb_build_object('event_id', event_id)
    FROM incoming WHERE dedupe_key IS NOT NULL
  ON CONFLICT (source, key) DO NOTHING
  RETURNING event_id
), stored AS (
  INSERT INTO trigger_event (id, project_id, trigger_key, trigger_type, source, dedupe_key,
                             data, request)
  SELECT event_id, project_id, trigger_key, trigger_type, source, dedupe_key,
         data::jsonb, request::jsonb
    FROM incoming
   WHERE dedupe_key IS NULL OR event_id IN (SELECT event_id FROM keyed)
  ON CONFLICT (id) DO NOTHING
  RETURNING id
), waiting AS (
  INSERT INTO trigger_inbox (id, event_id, subscription_id, workflow_id, replay)
  SELECT place, event_id, subscription_id, workflow_id, replay
    FROM incoming WHERE event_id IN (SELECT id FROM stored)
  ON CONFLICT (id) DO NOTHING
)
SELECT id FROM stored
"""
# A second statement, because the first one's snapshot may be older than the row it gave way to.
FIRST_WITH_KEY = """
SELECT k.source, k.key, k.event_id, k.answer
  FROM event_key k
  JOIN unnest(%b::text[], %b::text[]) AS t(source, key) ON k.source = t.source AND k.key = t.key
"""


def _place(event: NewEvent) -> UUID:
    own: UUID = event.event_id  # type: ignore[assignment]  # with_identity gave it one
    return lanes.place(own, event.source)


_COLUMNS: tuple[Callable[[NewEvent], Any], ...] = (
    lambda event: event.event_id,
    lambda event: event.project_id,
    lambda event: event.trigger_key,
    lambda event: event.trigger_type,
    lambda event: event.source,
    lambda event: to_json(event.data),
    lambda event: None if event.request is None else to_json(event.request),
    lambda event: event.dedupe_key,
    lambda event: event.subscription_id,
    lambda event: event.workflow_id,
    lambda event: event.replay,
    _place,
)


def columns(events: Sequence[NewEvent]) -> list[list[Any]]:
    """Return the parameters of ``INSERT`` for events that went through ``with_identity``."""
    return [[value_of(event) for event in events] for value_of in _COLUMNS]


def with_identity(event: NewEvent) -> NewEvent:
    """Return the event with an id, and with a key that fits its column."""
    return NewEvent(
        project_id=event.project_id,
        trigger_key=event.trigger_key,
        trigger_type=event.trigger_type,
        source=event.source,
        data=event.data,
        request=event.request,
        dedupe_key=_fitting(event.dedupe_key),
        subscription_id=event.subscription_id,
        workflow_id=event.workflow_id,
        replay=event.replay,
        event_id=event.event_id or ids.uuid7(),
    )


def repeated(events: Iterable[NewEvent], stored: set[UUID]) -> list[NewEvent]:
    """Return the events with a key that were not stored now: others with it came first."""
    return [event for event in events if event.dedupe_key and event.event_id not in stored]


def keys_of(events: Sequence[NewEvent]) -> list[list[Any]]:
    """Return the parameters of ``FIRST_WITH_KEY``."""
    return [[event.source for event in events], [event.dedupe_key for event in events]]


def answers(
    events: Sequence[NewEvent], first: Iterable[tuple[str, str, UUID, Any]]
) -> list[Accepted]:
    """Return the answer to each event, given the rows that ``FIRST_WITH_KEY`` found."""
    known = {(source, key): (event_id, answer) for source, key, event_id, answer in first}
    return [_answer(event, known) for event in events]


def to_json(value: Any) -> str:
    """Return the text of a column; dates and whole numbers beyond 64 bits are not expected here.

    Raises Oversized for what ``offloaded`` was to take away before.
    """
    return encode(value)


def offloaded(event: NewEvent) -> NewEvent:
    """Return the event with its large values in the object storage.

    Small ones cost one look at their size. Blocks for large ones; raises Unavailable when the
    storage is away.
    """
    data = payloads.offloaded(event.data, project_id=event.project_id)
    request = payloads.offloaded(event.request, project_id=event.project_id)
    return replaced(event, data=data, request=request)


def replaced(event: NewEvent, *, data: Any, request: Any) -> NewEvent:
    """Return the event with these values."""
    if data is event.data and request is event.request:
        return event
    return replace(event, data=data, request=request)


def _answer(event: NewEvent, known: Mapping[tuple[str, str], tuple[UUID, Any]]) -> Accepted:
    own: UUID = event.event_id  # type: ignore[assignment]  # with_identity gave it one
    if event.dedupe_key is None or (event.source, event.dedupe_key) not in known:
        return Accepted(event_id=own, is_repeat=False, answer={"event_id": str(own)})
    event_id, answer = known[event.source, event.dedupe_key]
    # The key's row may be our own: written by a commit whose answer was lost on the way.
    return Accepted(
        event_id=event_id,
        is_repeat=event_id != own,
        answer=answer or {"event_id": str(event_id)},
    )


def _fitting(key: str | None) -> str | None:
    if not key:
        return None
    key = clean_text(key)
    return key if len(key) <= MAX_KEY else f"sha256:{sha256(key.encode()).hexdigest()}"
