"""When an engine has to be alone with one execution that crashed twice before."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

from leadsend.lib import clock
from leadsend.lib.postgres import Connection
from runtime.claiming import LAST_CHANCE, Claimed, Crashes, has_last_chances

LOOK_EVERY_S: Final = 5.0
# A slow effect must not keep all others waiting, neither before nor while the one is alone.
MOST_PATIENCE_S: Final = 10.0


class Quarantine:
    """Keeps other executions out while one on its last chance is held, or is waited for.

    When the process dies while it is alone with one, that one is surely to blame; so no bystander
    is given up as poison. Every few seconds it looks whether one waits. Then nothing is claimed
    until the engine holds nothing else, and while the one is held, for 10 s at most each time.
    """

    def __init__(self) -> None:
        self._alone: UUID | None = None
        self._is_wanted = False
        self._until = 0.0
        self._look_at = 0.0

    def may_claim(self, connection: Connection, held: Collection[UUID]) -> bool:
        """Say whether the engine may claim now; queries every few seconds."""
        now = clock.monotonic()
        if self._alone is not None:
            if self._alone in held and now < self._until:
                return False
            self._alone = None
        if now >= self._look_at:
            self._is_wanted = bool(held) and has_last_chances(connection)
            self._until = now + MOST_PATIENCE_S
            self._look_at = now + LOOK_EVERY_S + (MOST_PATIENCE_S if self._is_wanted else 0.0)
        return not (self._is_wanted and held and now < self._until)

    def crashes(self, held: Collection[UUID], *, is_their_turn: bool) -> Crashes:
        """Return which crashed executions may be claimed now: on a last chance only when idle."""
        if held:
            return Crashes(most=LAST_CHANCE - 1, first=is_their_turn)
        if self._is_wanted:
            self._is_wanted = False
            return Crashes(least=LAST_CHANCE, first=True)
        return Crashes(first=is_their_turn)

    def note(self, claimed: Sequence[Claimed]) -> None:
        """Remember that an execution on its last chance was claimed."""
        for row in claimed:
            if row.crash_count >= LAST_CHANCE:
                self._alone = row.id
                self._until = clock.monotonic() + MOST_PATIENCE_S
