"""The last requests of a webhook: what came of each, whether it was accepted or refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from triggers import recent_events, replaying
from triggers.models import TriggerEvent, WebhookEndpoint, WebhookRefusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A request, or several equal ones that were refused. ``code`` says what came of it.

    ``started`` when runs began, ``undecided`` while dispatch has not looked at it; else the code
    of the event's fate, ``repeated``, or that of the refusal. ``status`` is what was answered.
    """

    received_at: datetime
    status: int
    code: str
    message: str
    event_id: UUID | None
    count: int = 1


def of_endpoint(endpoint: WebhookEndpoint, *, most: int = 50) -> list[Delivery]:
    """Return the last deliveries, newest first."""
    source = f"webhook:{endpoint.pk}"
    events = recent_events.of_source(endpoint.project_id, source, most=most)
    started = replaying.started_by(events)
    accepted = [_accepted(event, has_started=event.pk in started) for event in events]
    rows = WebhookRefusal.objects.filter(endpoint=endpoint).order_by("-received_at")[:most]
    both = [*accepted, *(_refused(row) for row in rows)]
    return sorted(both, key=lambda one: one.received_at, reverse=True)[:most]


def _accepted(event: TriggerEvent, *, has_started: bool) -> Delivery:
    fate = event.fate or {}
    return Delivery(
        received_at=event.received_at,
        status=202,
        code=fate.get("code") or ("started" if has_started else "undecided"),
        message=fate.get("reason", ""),
        event_id=event.pk,
    )


def _refused(row: WebhookRefusal) -> Delivery:
    return Delivery(
        received_at=row.received_at,
        status=row.status,
        code=row.code,
        message=row.message,
        event_id=row.event_id,
        count=row.count,
    )
