"""Events at a steady rate, through two web processes, from senders that do not give up."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from leadsend.trust.senders import OK, post_signed

GIVE_UP_S = 180.0
SENDERS = 48
PAUSE_S = 0.3
# What a load balancer tries on the next upstream: no answer, and what gateways do not pass on.
_NEXT = frozenset({0, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One request to one web process, in monotonic seconds; ``status`` is 0 without an answer."""

    webhook_id: str
    began: float
    ended: float
    status: int


@dataclass
class Traffic:
    """Sends events round-robin to ``hooks``; what fails at one goes to the other at once.

    A share ``twice`` of all events is sent a second time on purpose, under the same id.
    ``bodies`` makes the body of the n-th event.
    """

    hooks: Sequence[str]
    secret: str
    bodies: Callable[[int], dict[str, Any]]
    per_second: float = 50.0
    twice: float = 0.1
    seed: int = 1
    sent: int = 0
    tries: list[Try] = field(default_factory=list)
    accepted: dict[str, float] = field(default_factory=dict)
    repeated: int = 0
    refused_everywhere: int = 0
    given_up: set[str] = field(default_factory=set)
    began_at: float = 0.0
    ended_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, *, least: int, goes_on: Callable[[], bool] = lambda: False) -> None:
        """Send at least so many events, and on while ``goes_on``; return when all were answered."""
        chance = random.Random(self.seed)
        self.began_at = time.monotonic()
        with ThreadPoolExecutor(SENDERS) as pool:
            while self.sent < least or goes_on():
                due = self.began_at + self.sent / self.per_second
                time.sleep(max(0.0, due - time.monotonic()))
                again = chance.random() < self.twice
                pool.submit(self._send, self.sent, again=again)
                self.sent += 1
            self.ended_at = time.monotonic()

    def webhook_id(self, number: int) -> str:
        """Return the id under which the n-th event is sent."""
        return f"msg_{number:06}"

    def latencies_ms(self, inside: Callable[[Try], bool]) -> list[float]:
        """Return how long those tries took, sorted, that were accepted and hold to ``inside``."""
        with self._lock:
            found = [one for one in self.tries if one.status in OK and inside(one)]
        return sorted((one.ended - one.began) * 1000 for one in found)

    def _send(self, number: int, *, again: bool) -> None:
        if self._send_until_accepted(number) and again and self._send_until_accepted(number):
            with self._lock:
                self.repeated += 1

    def _send_until_accepted(self, number: int) -> bool:
        webhook_id, body = self.webhook_id(number), self.bodies(number)
        deadline = time.monotonic() + GIVE_UP_S
        while time.monotonic() < deadline:
            if self._send_balanced(number, webhook_id, body):
                return True
            time.sleep(PAUSE_S)
        with self._lock:
            self.given_up.add(webhook_id)
        return False

    def _send_balanced(self, number: int, webhook_id: str, body: dict[str, Any]) -> bool:
        for turn in range(len(self.hooks)):
            hook = self.hooks[(number + turn) % len(self.hooks)]
            began = time.monotonic()
            status = post_signed(hook, self.secret, webhook_id, body)
            ended = time.monotonic()
            with self._lock:
                self.tries.append(
                    Try(webhook_id=webhook_id, began=began, ended=ended, status=status)
                )
                if status in OK:
                    self.accepted.setdefault(webhook_id, ended)
                    return True
            if status not in _NEXT:
                break
        with self._lock:
            self.refused_everywhere += 1
        return False
