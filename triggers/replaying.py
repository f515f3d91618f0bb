"""Plays recorded events again, and starts workflows by hand; both go through the inbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max

from leadsend.access import audit
from leadsend.access.models import User
from leadsend.lib import ids
from leadsend.lib.errors import Conflict, NotFound
from runtime.models import Execution
from triggers import inbox
from triggers.events import Accepted, NewEvent
from triggers.models import InboxEntry, Subscription, TriggerEvent
from triggers.waking import wake_after_commit
from workflows.models import Workflow

HIGHEST_REPLAY = 10_000
# An execution's id carries its event's millisecond: each event costs one look into an index.
_STARTED = """
SELECT o.id FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[]) AS o(id, low, high)
 WHERE EXISTS (SELECT FROM workflow_execution e
                WHERE e.id >= o.low AND e.id <= o.high AND e.trigger_event_id = o.id)
"""


def replay_event(
    event: TriggerEvent,
    *,
    user: User | None,
    subscription: Subscription | None = None,
    is_audited: bool = True,
) -> int:
    """Offer an event to its subscriptions (or to one of them) anew; return the replay's number.

    The executions are new ones that run the version that is live now. Who replays many audits them
    together. Raises Conflict for an event
    that is still waiting for its first time, or has been replayed too often.
    """
    limits = {"subscription_id": subscription.pk} if subscription else {}
    return _replay(event, user=user, limits=limits, is_audited=is_audited)


def replay_execution(execution: Execution, *, user: User | None) -> int:
    """Play an execution's event again for its own workflow; return the replay's number.

    Raises NotFound when the event is no longer kept, Conflict as ``replay_event``.
    """
    event_id = execution.trigger_event_id
    event = TriggerEvent.objects.filter(pk=event_id).first() if event_id else None
    if event is None:
        raise NotFound("The event of this run is no longer kept: there is nothing to replay.")
    by_subscription = execution.subscription_id is not None
    limits = (
        {"subscription_id": execution.subscription_id}
        if by_subscription
        else {"workflow_id": execution.workflow_id}
    )
    return _replay(event, user=user, limits=limits)


def start(
    workflow: Workflow,
    *,
    user: User | None,
    data: Mapping[str, Any],
    trigger_type: str = "manual",
    idempotency_key: str | None = None,
) -> Accepted:
    """Start the live version of a workflow with the given event; return the inbox's answer.

    The same key within 30 days gets the first answer. Raises Conflict when the workflow is not
    live, Unavailable when the database is away.
    """
    if not workflow.is_live:
        raise Conflict(
            "The workflow is not live: publish it and switch it on, then run it.",
            code="not_live",
        )
    event = NewEvent(
        project_id=workflow.project_id,
        trigger_key="manual",
        trigger_type=trigger_type,
        source=f"manual:{workflow.pk}",
        data=dict(data),
        dedupe_key=idempotency_key,
        workflow_id=workflow.pk,
    )
    with transaction.atomic():
        [accepted] = inbox.accept([event])
        if not accepted.is_repeat:
            detail = {"event_id": str(accepted.event_id)}
            audit.record(
                "workflow.run", actor=user, project=workflow.project, obj=workflow, detail=detail
            )
    return accepted


def started_id(workflow: Workflow, event_id: UUID) -> UUID:
    """Return the id of the execution that ``start`` leads to; it exists after dispatch."""
    return ids.execution_id(event_id, workflow.pk)


def executions_of(event: TriggerEvent) -> Any:
    """Return what an event started.

    Executions carry their event's millisecond in their id, so the primary key finds them.
    """
    first = event.pk.int >> 80 << 80
    return Execution.objects.filter(
        id__gte=UUID(int=first), id__lt=UUID(int=first + (1 << 80)), trigger_event_id=event.pk
    )


def started_by(events: Sequence[TriggerEvent]) -> set[UUID]:
    """Return the ids of those events that have started at least one run. One query."""
    if not events:
        return set()
    low = [UUID(int=event.pk.int >> 80 << 80) for event in events]
    high = [UUID(int=one.int + (1 << 80) - 1) for one in low]
    with connection.cursor() as cursor:
        cursor.execute(_STARTED, [[event.pk for event in events], low, high])
        return {row[0] for row in cursor.fetchall()}


def mark_sample(event: TriggerEvent, *, user: User | None, is_sample: bool) -> None:
    """Keep an event as a sample for building and trying workflows, or let it go. Safe twice."""
    with transaction.atomic():
        changed = (
            TriggerEvent.objects.filter(pk=event.pk)
            .exclude(is_sample=is_sample)
            .update(is_sample=is_sample)
        )
        if changed:
            detail = {"is_sample": is_sample}
            audit.record(
                "event.sample", actor=user, project=event.project, obj=event, detail=detail
            )
    event.is_sample = is_sample


def _replay(
    event: TriggerEvent,
    *,
    user: User | None,
    limits: Mapping[str, UUID | None],
    is_audited: bool = True,
) -> int:
    with transaction.atomic():
        # The event's row orders two people who replay it at once.
        locked = TriggerEvent.objects.select_for_update().get(pk=event.pk)
        number = _next_replay(locked)
        InboxEntry.objects.create(id=ids.uuid7(), event_id=locked.pk, replay=number, **limits)
        if is_audited:
            detail = {"replay": number}
            audit.record(
                "event.replay", actor=user, project=locked.project, obj=locked, detail=detail
            )
        wake_after_commit()
    return number


def _next_replay(event: TriggerEvent) -> int:
    waiting = InboxEntry.objects.filter(event_id=event.pk)
    if waiting.filter(replay=0).exists():
        raise Conflict("The event still waits for its first time: there is nothing to replay yet.")
    started = executions_of(event).aggregate(newest=Max("replay"))["newest"] or 0
    planned = waiting.aggregate(newest=Max("replay"))["newest"] or 0
    number: int = max(started, planned) + 1
    if number > HIGHEST_REPLAY:
        raise Conflict(f"The event was replayed {HIGHEST_REPLAY} times: no more.")
    return number
