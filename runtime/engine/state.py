"""What is known of one execution, folded from its step rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from runtime.engine.transitions import STEP_FINAL
from workflows.definition.business_time import Calendar

StepStatus = Literal[
    "PENDING",
    "RUNNING",
    "WAITING",
    "UNCERTAIN",
    "SUCCESS",
    "FAILED",
    "SKIPPED",
    "CANCELLED",
    "TIMED_OUT",
]
StepKey = tuple[str, str | None]  # (step id, item path in a loop: "3", nested "3.0.7")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One attempt of one step, exactly as its row in ``step_execution`` says it.

    ``branch`` is the branch key taken (``default``, ``yes``, ``error`` …). ``due_at`` is when a
    WAITING step goes on, a PENDING one may begin (``postponing``), or when the attempt after a
    FAILED one may start; a FAILED record without ``due_at`` is final. ``error`` is ``{"code", "message", …}``. ``effect_key`` is the idempotency
    key sent along. ``again`` counts a person's "run again".
    """

    step_id: str
    kind: str
    status: StepStatus
    attempt: int = 1
    item: str | None = None
    action_key: str = ""
    branch: str = ""
    input: Any = None
    output: Any = None
    error: Mapping[str, Any] | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    due_at: datetime | None = None
    effect_key: UUID | None = None
    again: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """What of an execution never changes while it runs.

    ``variables`` holds values by key (secret ones already decrypted for this pass). ``contact`` is
    whom the event is about: ``{"email", "name"}``. ``calendars`` are there by key where the plan
    asks for any.
    """

    execution_id: UUID
    workflow_id: UUID
    project_id: UUID
    workflow_name: str
    run_url: str
    started_at: datetime
    event: Any
    request: Any = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    contact: Mapping[str, str] = field(default_factory=dict)
    trigger_key: str = ""
    calendars: Mapping[str, Calendar] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Collected:
    """What the settled items of one open loop came to, by index: output and error.

    ``is_whole`` is False while what earlier claims wrote of them is not in it.
    """

    found: dict[int, tuple[Any, Mapping[str, Any] | None]] = field(default_factory=dict)
    size_bytes: int = 0
    is_whole: bool

    def add(
        self, index: int, output: Any, error: Mapping[str, Any] | None, size_bytes: int
    ) -> None:
        """Take in what an item came to; ``size_bytes`` is its output's."""
        self.found[index] = output, error
        self.size_bytes += size_bytes


@dataclass(slots=True, kw_only=True)
class RunState:
    """The latest attempt of each step, and the effects that are under way.

    ``in_flight`` holds the steps whose effect was asked for and has not answered; ``answers`` what
    came for steps that wait, see ``waits.answered``. ``reserve`` holds what steps came to in the
    execution that this one is a new try of: when such a step is come to, that result is used and
    nothing is done. ``began`` says when the first attempt of a step began that is tried again. Of a
    loop's items only those that are open are in ``latest``; ``steps_inside`` and
    ``attempts_inside`` count what left it, ``collected`` holds what the loop's output needs of it.
    ``again_from`` says with which attempt a person's "run again" was said.
    """

    run: RunInfo
    latest: dict[StepKey, StepRecord] = field(default_factory=dict)
    in_flight: set[StepKey] = field(default_factory=set)
    cancel_requested: bool = False
    answers: dict[StepKey, Any] = field(default_factory=dict)
    reserve: dict[StepKey, StepRecord] = field(default_factory=dict)
    began: dict[StepKey, datetime] = field(default_factory=dict)
    timed_out: bool = False
    again_from: dict[tuple[StepKey, int], int] = field(default_factory=dict)
    collected: dict[StepKey, Collected] = field(default_factory=dict)
    steps_inside: int = 0
    attempts_inside: int = 0

    def gathered(self, key: StepKey, items: Iterable[StepRecord]) -> None:
        """Take in the records of a loop's settled items, which earlier claims wrote."""
        collected = self.collected.setdefault(key, Collected(is_whole=False))
        for record in items:
            index = int((record.item or "").rpartition(".")[2])
            collected.found.setdefault(index, (record.output, record.error))
        collected.is_whole = True

    def tries(self, key: StepKey, *, attempt: int, again: int) -> int:
        """Return which try an attempt is since a person last said "run again", from 1."""
        return attempt - self.again_from.get((key, again), 0)

    def fold(self, records: Iterable[StepRecord]) -> None:
        """Take in records in any order; a later attempt replaces an earlier one.

        What is final absorbs: a late record of the same attempt, or of an earlier one, changes
        nothing, neither does it answer the effect of a later attempt.
        """
        for record in records:
            key = (record.step_id, record.item)
            known = self.latest.get(key)
            if record.status == "FAILED" and record.due_at is not None and record.attempt == 1:
                self.began[key] = record.started_at or record.due_at
            if record.again:
                first = self.again_from.get((key, record.again), record.attempt)
                self.again_from[key, record.again] = min(first, record.attempt)
            if known is None or _replaces(record, known):
                self.latest[key] = record
                self.in_flight.discard(key)


def is_in_reserve(record: StepRecord) -> bool:
    """Say whether a record is what an earlier execution came to, for when this one comes there."""
    return record.status == "PENDING" and record.branch != ""


def _replaces(record: StepRecord, known: StepRecord) -> bool:
    new, old = (record.again, record.attempt), (known.again, known.attempt)
    return new > old or (new == old and known.status not in STEP_FINAL)
