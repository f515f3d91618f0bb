"""What one pass over an execution came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from runtime.engine.commands import ApplyWrite, CallEffect, Finish
from runtime.engine.state import StepKey, StepRecord

# Records of steps in loops, after which a pass begins no further item.
MOST_IN_ONE_PASS: Final = 500


@dataclass(slots=True, kw_only=True)
class Progress:
    """What one pass came to.

    ``records`` are new or changed rows, already folded into the state. ``calls`` and ``applies``
    are asked for once: they are in the state's ``in_flight`` now, until their answer is folded.
    ``due_at`` is the earliest moment at which another pass can do more; None when only an answer,
    a person or nothing at all can. ``has_more`` says that a loop was interrupted for others' sake:
    record what is there, then make another pass. ``gather`` names loops that need what earlier
    claims wrote of their items: ``state.gathered(key, …)``, then another pass. ``left`` is how many
    records of loops may still be made. ``retry_at`` is the earliest moment at which an effect can
    be tried again, also while others are in flight; ``due_by`` is up to when retries are due.
    """

    records: list[StepRecord] = field(default_factory=list)
    calls: list[CallEffect] = field(default_factory=list)
    applies: list[ApplyWrite] = field(default_factory=list)
    due_at: datetime | None = None
    retry_at: datetime | None = None
    due_by: datetime | None = None
    finish: Finish | None = None
    has_more: bool = False
    gather: tuple[StepKey, ...] = ()
    left: int = MOST_IN_ONE_PASS
