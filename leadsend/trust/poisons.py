"""Events that kill whoever runs them: sent until a web process has accepted each, and counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from leadsend.trust.senders import OK

MOST_TRIES = 400
PAUSE_S = 0.3

Post = Callable[[int, int], int]


@dataclass
class Poisons:
    """``post(number, turn)`` tries once and returns the status of the answer, 0 without one.

    ``accepted`` are the numbers of those that were answered as committed.
    """

    post: Post
    sent: int = 0
    accepted: set[int] = field(default_factory=set)
    _threads: list[threading.Thread] = field(default_factory=list)

    def send(self) -> None:
        """Send the next one, on until it is accepted, without holding up the caller."""
        number, self.sent = self.sent, self.sent + 1
        thread = threading.Thread(target=self._send, args=(number,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self) -> None:
        """Wait until each was accepted or given up: before that its run need not exist."""
        for thread in self._threads:
            thread.join()

    def _send(self, number: int) -> None:
        for turn in range(MOST_TRIES):
            if self.post(number, turn) in OK:
                self.accepted.add(number)
                return
            time.sleep(PAUSE_S)
