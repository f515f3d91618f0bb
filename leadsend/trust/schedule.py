"""When which fault happens: drawn from a seed, played by a thread."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Planned = tuple[float, str]


@dataclass
class Player:
    """Plays ``(second, name of act)`` in order; a late act delays those after it."""

    plan: Sequence[Planned]
    acts: Mapping[str, Callable[[], None]]
    failure: BaseException | None = None
    _thread: threading.Thread = field(init=False)

    def start(self) -> None:
        """Begin now."""
        self._thread = threading.Thread(target=self._play, name="faults", daemon=True)
        self._thread.start()

    def is_playing(self) -> bool:
        """Say whether acts are still to come."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait for the last act; raise what one of them raised."""
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def _play(self) -> None:
        began = time.monotonic()
        try:
            for at_s, name in sorted(self.plan):
                time.sleep(max(0.0, began + at_s - time.monotonic()))
                self.acts[name]()
        except BaseException as error:  # noqa: BLE001 - raised again by who joins
            self.failure = error


def at_random(
    chance: random.Random, counts: Mapping[str, int], *, first_s: float, last_s: float
) -> list[Planned]:
    """Spread so many of each act over a time, at random."""
    return [
        (chance.uniform(first_s, last_s), name)
        for name, count in counts.items()
        for _ in range(count)
    ]


def evenly(name: str, count: int, *, first_s: float, every_s: float) -> list[Planned]:
    """Repeat an act at a steady pace."""
    return [(first_s + number * every_s, name) for number in range(count)]
