"""What the decision maker asks for: each command is one thing the shell has to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from registry.sdk.action import Apply, Delivery

FinalStatus = Literal["SUCCESS", "FAILED", "CANCELLED", "TIMED_OUT"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPure:
    """Evaluate a step that touches nothing (condition, switch, pure action, join, end)."""

    step_id: str
    attempt: int = 1
    item: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """Record that no branch led to the step."""

    step_id: str
    item: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEffect:
    """Call an action that touches the world, after its intent is committed."""

    step_id: str
    attempt: int
    action_key: str
    inputs: Mapping[str, Any]
    delivery: Delivery
    idempotency_key: UUID
    timeout_s: float
    item: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyWrite:
    """Make a write of our own inside the recording commit.

    ``idempotency_key`` is the same for every attempt, as of an effect: what is written carries it.
    A step that ``waits`` is not done by its write: it waits for an answer, until ``due_at`` or for
    ever.
    """

    step_id: str
    attempt: int
    action_key: str
    inputs: Mapping[str, Any]
    apply: Apply
    item: str | None = None
    idempotency_key: UUID | None = None
    waits: bool = False
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitUntil:
    """Leave the step (a delay, or a retry that is not due yet) until a moment."""

    step_id: str
    due_at: datetime
    item: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFor:
    """Leave the step until it is answered: by an event, a reply, a person, another run."""

    step_id: str
    item: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """End the execution. ``error`` is ``{"code", "message", "step_id"}`` unless it succeeded."""

    status: FinalStatus
    output: Any = None
    error: Mapping[str, Any] | None = None


Command = RunPure | Skip | CallEffect | ApplyWrite | WaitUntil | WaitFor | Finish
