"""The inbox for threads: what arrives while one of them commits goes into the next commit.

The first thread to find nobody committing does it for all that wait; the others only wait for it.
A disk's flush so serves many requests, and they need one connection instead of one each.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from django.db import DataError, IntegrityError, connection

from leadsend.lib.errors import InvalidInput, LeadSendError, Unavailable
from triggers import inbox
from triggers.events import Accepted, NewEvent

LARGEST_GROUP: Final = 100
# These mean that the data cannot be stored; every other error means that nobody stores now.
_BAD_DATA: Final = (DataError, IntegrityError, TypeError, ValueError)


@dataclass(slots=True, eq=False)
class _Waiting:
    event: NewEvent
    outcome: Future[Accepted] = field(default_factory=Future)


class JointCommit:
    """Stores the events of many threads, one commit after the other."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._is_committing = False

    def accept(self, event: NewEvent) -> Accepted:
        """Return the answer once the event is committed.

        Raises Unavailable when the database is away, InvalidInput for data that it refuses.
        """
        if not connection.in_atomic_block:
            # Who waits must hold none of the pool: the one that commits may need the last.
            connection.close()
        mine = _Waiting(event)
        with self._changed:
            self._waiting.append(mine)
        # Whoever commits takes the oldest first, so after enough turns every one has its outcome.
        while group := self._next_group_unless_settled(mine):
            self._commit(group)
        return mine.outcome.result()

    def _next_group_unless_settled(self, mine: _Waiting) -> list[_Waiting]:
        """Wait for the turn to commit a group; return none once ``mine`` has its outcome."""
        with self._changed:
            self._changed.wait_for(lambda: mine.outcome.done() or not self._is_committing)
            if mine.outcome.done():
                return []
            self._is_committing = True
            return self._next_group()

    def _commit(self, group: list[_Waiting]) -> None:
        try:
            _settle(group)
        finally:
            with self._changed:
                self._is_committing = False
                self._changed.notify_all()

    def _next_group(self) -> list[_Waiting]:
        size = min(len(self._waiting), LARGEST_GROUP)
        return [self._waiting.popleft() for _ in range(size)]


def _settle(group: Sequence[_Waiting]) -> None:
    """Give everybody an outcome, whatever happens: nobody may wait for ever."""
    outcome: LeadSendError = Unavailable(inbox.AWAY)
    try:
        accepted = inbox.accept([one.event for one in group])
    except LeadSendError as error:
        outcome = error
    except _BAD_DATA:
        outcome = InvalidInput("The event holds a value that cannot be stored.")
    else:
        for one, answer in zip(group, accepted, strict=True):
            one.outcome.set_result(answer)
    finally:
        _settle_rest(group, outcome)


def _settle_rest(group: Sequence[_Waiting], outcome: LeadSendError) -> None:
    """Let one event that cannot be stored not take the others with it."""
    left = [one for one in group if not one.outcome.done()]
    if len(left) > 1 and isinstance(outcome, InvalidInput):
        for one in left:
            _settle([one])
        return
    for one in left:
        one.outcome.set_exception(outcome)
