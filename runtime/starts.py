"""What an execution that begins in memory is made of, before it has a row."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

FIRST_FENCE: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What all executions of one subscription, or of one workflow started by name, share."""

    project_id: UUID
    workflow_id: UUID
    version_id: UUID
    subscription_id: UUID | None
    trigger_key: str
    trigger_type: str
    timeout_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """An execution that is to begin; ``event`` and ``request`` are JSON texts or None."""

    execution_id: UUID
    event_id: UUID
    target: Target
    business_key: str
    replay: int
    received_at: datetime
    event: str | None
    request: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a process takes new executions: at most ``room`` of them begin at once.

    ``held`` counts those of each workflow that the process holds already; of none it may hold more
    than ``most_each``, so that there is room for others.
    """

    worker_id: UUID
    lease_s: float
    room: int
    held: Mapping[UUID, int] = field(default_factory=dict)
    most_each: int = sys.maxsize
