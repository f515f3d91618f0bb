"""Decides which events start which workflows, and says why the others start nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from leadsend.lib import ids
from leadsend.lib.errors import LeadSendError
from leadsend.lib.payloads import MARK, Reference, parsed
from triggers import db_changes, filters, run_ends
from triggers.flow import Flow, flow_of, scheduled_flow_of

NO_FILTER = "{}"
_WANTED: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], bool]] = {
    "table": db_changes.is_wanted,
    "ended": run_ends.is_wanted,
}
_UNWANTED = {
    "table": "The trigger does not ask for this kind of change.",
    "ended": "The trigger does not ask for runs that ended so.",
}
DEFAULT_TIMEOUT_S = 3600


@dataclass(frozen=True, slots=True)
class Target:
    """A workflow that an event is offered to, by a subscription or by name (then without one).

    ``flow_text`` are its settings when they say something of when executions begin.
    """

    subscription_id: UUID | None
    project_id: UUID
    source: str
    workflow_id: UUID
    filter_text: str
    cfg_text: str
    is_listening: bool
    is_paused: bool
    version_id: UUID | None
    timeout_s: int | None
    business_key: str | None
    trigger_key: str | None = None
    flow_text: str | None = None

    @property
    def begins_at_once(self) -> bool:
        """Say whether nothing in the settings may hold executions back."""
        return self.flow_text is None and not self.flow.holds_back

    @property
    def flow(self) -> Flow:
        """Return what the settings say of when executions begin."""
        if self.source.startswith("schedule:"):
            return scheduled_flow_of(self.flow_text, self.cfg_text, self.source)
        return flow_of(self.flow_text)


@dataclass(slots=True)
class Arrival:
    """One inbox row with its event; data and request are decoded when somebody asks.

    ``may_answer`` says that some run waits for an event, be it this one or another.
    """

    id: UUID
    event_id: UUID
    subscription_id: UUID | None
    workflow_id: UUID | None
    replay: int
    received_at: datetime
    project_id: UUID | None = None
    source: str = ""
    may_answer: bool = False
    data_text: str | None = None
    request_text: str | None = None
    trigger_key: str = ""
    trigger_type: str = ""
    _scope: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def is_large(self) -> bool:
        """Say whether a look at the text is needed to know where the event lies."""
        return bool(
            (self.data_text and self.data_text.startswith(MARK))
            or (self.request_text and self.request_text.startswith(MARK))
        )

    def large(self) -> list[Reference]:
        """Return what of the event lies in the object storage."""
        texts = (self.data_text, self.request_text)
        values = [parsed(text) for text in texts if text and text.startswith(MARK)]
        return [value for value in values if isinstance(value, Reference)]

    def bring_in(self, found: Mapping[Reference, bytes]) -> None:
        """Take the values from there, so that filters can look at them."""
        data, request = parsed(self.data_text or "{}"), parsed(self.request_text or "{}")
        data = orjson.loads(found[data]) if isinstance(data, Reference) else data
        request = orjson.loads(found[request]) if isinstance(request, Reference) else request
        self._scope = filters.scope_of(data, request, self.received_at)

    def scope(self) -> dict[str, Any]:
        """Return the roots for the filter."""
        if self._scope is None:
            data = parsed(self.data_text or "{}")
            request = parsed(self.request_text or "{}")
            self._scope = filters.scope_of(data, request, self.received_at)
        return self._scope


@dataclass(frozen=True, slots=True)
class Start:
    """An execution that is to exist; ``is_waiting`` when it may not begin yet."""

    arrival: Arrival
    target: Target
    is_waiting: bool = False
    concurrency_key: str | None = None

    @property
    def execution_id(self) -> UUID:
        """Return the id that this start always has, however often it is tried."""
        starter = self.target.subscription_id or self.target.workflow_id
        return ids.execution_id(self.arrival.event_id, starter, self.arrival.replay)

    @property
    def business_key(self) -> str:
        """Return what the execution is about, "" where nothing says so."""
        template = self.target.business_key
        return filters.business_key(template, self.arrival.scope()) if template else ""

    @property
    def timeout_s(self) -> int:
        """Return how long the execution may be at work."""
        return self.target.timeout_s or DEFAULT_TIMEOUT_S


@dataclass(slots=True)
class Outcome:
    """What becomes of a batch: executions to start, and the fates of events that start none.

    ``failures`` are events with a fate that somebody should be told of, and whose workflow it is.
    """

    starts: list[Start] = field(default_factory=list)
    fates: dict[UUID, dict[str, str]] = field(default_factory=dict)
    failures: list[tuple[Arrival, dict[str, str], UUID | None]] = field(default_factory=list)


class Targets:
    """Who listens, by source; and workflows that are started by name."""

    def __init__(self) -> None:
        self.by_source: defaultdict[str, list[Target]] = defaultdict(list)
        self.by_workflow: dict[UUID, Target] = {}
        self.may_hold_back = False

    def add_subscription(self, target: Target) -> None:
        """Add one that listens to its source."""
        self.by_source[target.source].append(target)
        self.may_hold_back = self.may_hold_back or target.flow.holds_back

    def add_workflow(self, target: Target) -> None:
        """Add one that an event names."""
        self.by_workflow[target.workflow_id] = target
        self.may_hold_back = self.may_hold_back or target.flow.holds_back

    def of(self, arrival: Arrival) -> list[Target]:
        """Return the targets of an event's own project."""
        if arrival.workflow_id is not None:
            named = self.by_workflow.get(arrival.workflow_id)
            found = [named] if named is not None else []
        else:
            found = self.by_source.get(arrival.source, [])
        return [target for target in found if _is_meant(target, arrival)]


def _is_meant(target: Target, arrival: Arrival) -> bool:
    if target.project_id != arrival.project_id:
        return False
    return arrival.subscription_id in {None, target.subscription_id}


def decide(arrivals: Iterable[Arrival], targets: Targets) -> Outcome:
    """Return what becomes of these events."""
    outcome = Outcome()
    for arrival in arrivals:
        refusals: list[dict[str, str]] = []
        failed: list[tuple[Arrival, dict[str, str], UUID | None]] = []
        starts = []
        for target in targets.of(arrival):
            refusal = _refusal(target, arrival)
            if refusal is None:
                starts.append(Start(arrival, target))
            else:
                refusals.append(refusal)
                if refusal["code"] == "filter_failed":
                    failed.append((arrival, refusal, target.workflow_id))
        outcome.starts += starts
        outcome.failures += failed[:1]
        fate = _fate(refusals, has_started=bool(starts))
        if fate is not None:
            outcome.fates[arrival.event_id] = fate
    return outcome


def _refusal(target: Target, arrival: Arrival) -> dict[str, str] | None:
    """Return why this target does not start, or None when it does."""
    if target.version_id is None:
        return told("workflow_off", "The workflow is switched off or was never published.")
    if not target.is_listening:
        return told("workflow_off", "The published version no longer has this trigger.")
    # A person who plays an event again means it, also while new ones are held back.
    if target.is_paused and not arrival.replay:
        return told("paused", "The subscription is paused.")
    if target.subscription_id is None:
        return None
    return _unwanted(target, arrival) or _filtered(target, arrival)


def _unwanted(target: Target, arrival: Arrival) -> dict[str, str] | None:
    """Tables and other workflows are watched for all listeners together; each asked for some."""
    kind = target.source.partition(":")[0]
    if kind not in _WANTED:
        return None
    if _WANTED[kind](orjson.loads(target.cfg_text), arrival.scope()["event"]):
        return None
    return told("filtered_out", _UNWANTED[kind])


def _filtered(target: Target, arrival: Arrival) -> dict[str, str] | None:
    if target.filter_text == NO_FILTER:
        return None
    try:
        verdict = filters.judge(target.filter_text, arrival.scope())
    except LeadSendError as error:
        return told("filter_failed", f"The filter could not be worked out: {error.message}")
    if verdict.value:
        return None
    return told("filtered_out", " ".join((f"{verdict.reason}.", *verdict.notes)))


def _fate(refusals: Sequence[dict[str, str]], *, has_started: bool) -> dict[str, str] | None:
    """Return what to keep with the event: a broken filter always, else only if nothing started."""
    failed = [refusal for refusal in refusals if refusal["code"] == "filter_failed"]
    if failed:
        return failed[0]
    if has_started:
        return None
    # What is nearest to having started tells most.
    order = ("filtered_out", "paused", "workflow_off")
    for code in order:
        for refusal in refusals:
            if refusal["code"] == code:
                return refusal
    return told("no_subscription", "No workflow listens to this source.")


def told(code: str, reason: str) -> dict[str, str]:
    """Return a fate: why an event started nothing."""
    return {"code": code, "reason": reason}
