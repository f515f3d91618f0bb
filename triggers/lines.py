"""Decides which events have to wait, give way or are left out, because of others of their key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from runtime.turns import Key, Standing, Turn
from triggers.flow import Concurrency, Debounce
from triggers.matching import Start, told


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruled:
    """A start with the values of its keys; None where it has no such rule."""

    start: Start
    turn_key: Key | None = None
    debounce_key: Key | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """When a debounced execution may begin."""

    execution_id: UUID
    key: Key
    due_at: datetime


@dataclass(slots=True, kw_only=True)
class Plan:
    """What is to be written: executions and their turns and timers, and what becomes of others.

    ``take_overs`` maps an execution that waits to the start whose event it takes over; ``reasons``
    say what to tell the events that gave way to it. ``fates`` are of events of this batch.
    """

    starts: list[Start] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    take_overs: dict[UUID, Start] = field(default_factory=dict)
    reasons: dict[UUID, dict[str, str]] = field(default_factory=dict)
    cancels: set[UUID] = field(default_factory=set)
    fates: dict[UUID, dict[str, str]] = field(default_factory=dict)


@dataclass(slots=True)
class _Line:
    """One key while a batch is gone through. ``newest`` waits alone and can be replaced."""

    begun: list[UUID]
    held: UUID | None = None
    has_held: bool = False
    newest: Ruled | None = None


class Planner:
    """Goes through the starts of a batch in the order of their arrival."""

    def __init__(self, *, standings: Mapping[Key, Standing], debounced: Mapping[Key, UUID]) -> None:
        self.plan = Plan()
        self._lines = {
            key: _Line(list(one.begun), one.newest_held, one.newest_held is not None)
            for key, one in standings.items()
        }
        self._debounced = debounced
        self._last: dict[Key, Ruled] = {}

    def add(self, ruled: Ruled) -> None:
        """Take in the next start."""
        flow = ruled.start.target.flow
        if ruled.debounce_key is not None and flow.debounce is not None:
            self._debounce(ruled, ruled.debounce_key)
        elif ruled.turn_key is not None and flow.concurrency is not None:
            self._stand_in_line(ruled, ruled.turn_key, flow.concurrency)
        else:
            self.plan.starts.append(ruled.start)

    def finished(self) -> Plan:
        """Return the plan; nothing can be added any more."""
        for key, ruled in self._last.items():
            self._settle_debounced(ruled, key)
        for key, line in self._lines.items():
            if line.newest is not None:
                self._settle_newest(line.newest, key, line)
        return self.plan

    def _debounce(self, ruled: Ruled, key: Key) -> None:
        before = self._last.get(key)
        if before is not None:
            self._give_way(before, ruled, "debounced", key)
        self._last[key] = ruled

    def _stand_in_line(self, ruled: Ruled, key: Key, rule: Concurrency) -> None:
        line = self._lines.setdefault(key, _Line([]))
        is_free = len(line.begun) < rule.most and not line.has_held
        if is_free:
            line.begun.append(ruled.start.execution_id)
            self._write(ruled, key, rule, is_held=False)
        elif rule.policy == "queue":
            line.has_held = True
            self._write(ruled, key, rule, is_held=True)
        elif rule.policy == "drop_new":
            self._leave_out(ruled, key)
        else:
            if rule.policy == "cancel_old":
                self.plan.cancels.update(line.begun[: len(line.begun) - rule.most + 1])
            if line.newest is not None:
                self._give_way(line.newest, ruled, "replaced", key)
            line.newest, line.has_held = ruled, True

    def _write(
        self, ruled: Ruled, key: Key, rule: Concurrency, *, is_held: bool, is_ready: bool = True
    ) -> None:
        start = replace(ruled.start, is_waiting=is_held, concurrency_key=key[1])
        self.plan.starts.append(start)
        self.plan.turns.append(
            Turn(
                execution_id=start.execution_id,
                key=key,
                place=start.arrival.received_at,
                most=rule.most,
                is_held=is_held,
                is_ready=is_ready,
                is_strict=rule.is_strict,
            )
        )

    def _settle_newest(self, ruled: Ruled, key: Key, line: _Line) -> None:
        rule = ruled.start.target.flow.concurrency
        if line.held is not None:
            self._take_over(line.held, ruled, "replaced", key)
        elif rule is not None:
            self._write(ruled, key, rule, is_held=True)

    def _settle_debounced(self, ruled: Ruled, key: Key) -> None:
        start, flow = ruled.start, ruled.start.target.flow
        known = self._debounced.get(key)
        execution_id = known or start.execution_id
        if known is not None:
            self._take_over(known, ruled, "debounced", key)
        elif ruled.turn_key is not None and flow.concurrency is not None:
            self._write(ruled, ruled.turn_key, flow.concurrency, is_held=True, is_ready=False)
        else:
            self.plan.starts.append(replace(start, is_waiting=True))
        if flow.debounce is not None:
            due_at = _due_at(start, flow.debounce)
            self.plan.timers.append(Timer(execution_id=execution_id, key=key, due_at=due_at))

    def _take_over(self, execution_id: UUID, ruled: Ruled, code: str, key: Key) -> None:
        self.plan.take_overs[execution_id] = ruled.start
        self.plan.reasons[execution_id] = _gave_way(code, ruled, key)
        taken = f"Run {execution_id}, which had not begun, took over this event."
        self.plan.fates[ruled.start.arrival.event_id] = told("took_over", taken)

    def _give_way(self, before: Ruled, after: Ruled, code: str, key: Key) -> None:
        self.plan.fates[before.start.arrival.event_id] = _gave_way(code, after, key)

    def _leave_out(self, ruled: Ruled, key: Key) -> None:
        reason = f"A run for “{key[1]}” had not ended, and the workflow leaves out what comes then."
        self.plan.fates[ruled.start.arrival.event_id] = told("dropped", reason)


def _due_at(start: Start, rule: Debounce) -> datetime:
    return start.arrival.received_at + rule.span


def _gave_way(code: str, after: Ruled, key: Key) -> dict[str, str]:
    event = after.start.arrival.event_id
    return told(code, f"The newer event {event} for “{key[1]}” took its place before it began.")
