"""What a filter would have let through of the events that came: asked before it goes live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from leadsend.lib.errors import InvalidInput, LeadSendError
from runtime import payloads
from triggers import filters, recent_events
from triggers.models import Subscription, TriggerEvent
from workflows.definition.condition_form import check_condition_form

MOST = 1_000
_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One event and what the filter says to it; ``matched`` is None where it fails."""

    event: TriggerEvent
    matched: bool | None
    reason: str


@dataclass(slots=True, kw_only=True)
class Tried:
    """How many of the last events would have started something, and the newest of either kind."""

    looked_at: int = 0
    matched: int = 0
    failed: int = 0
    shown: list[Judged] = field(default_factory=list)


def try_filter(
    subscription: Subscription, conditions: Mapping[str, Any], *, most: int = MOST
) -> Tried:
    """Judge the last events of a subscription's source by these conditions; nothing is started.

    Raises InvalidInput for conditions of a wrong form, ExpressionSyntaxError for what cannot be
    read in them.
    """
    problems = list(check_condition_form(conditions, path="/filter_conditions"))
    if problems:
        raise InvalidInput("The filter cannot be read.", problems=problems)
    text = orjson.dumps(conditions).decode()
    filters.compile_filter(text)
    tried, of_kind = Tried(), {True: 0, False: 0, None: 0}
    for event in recent_events.of_source(subscription.project_id, subscription.source, most=most):
        judged = _judged(event, text)
        tried.looked_at += 1
        tried.matched += judged.matched is True
        tried.failed += judged.matched is None
        of_kind[judged.matched] += 1
        if of_kind[judged.matched] <= _SHOWN:
            tried.shown.append(judged)
    return tried


def _judged(event: TriggerEvent, text: str) -> Judged:
    data = payloads.whole(event.data, project_id=event.project_id)
    request = payloads.whole(event.request, project_id=event.project_id)
    try:
        verdict = filters.judge(text, filters.scope_of(data, request, event.received_at))
    except LeadSendError as error:
        return Judged(event=event, matched=None, reason=error.message)
    reason = " ".join((f"{verdict.reason}.", *verdict.notes)) if verdict.reason else ""
    return Judged(event=event, matched=verdict.value, reason=reason)
