"""How often one address may send: counted in memory, so a flood writes nothing.

Each web process counts by itself: with several, an address gets that many times the limit.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from leadsend.lib import clock

_MOST_KNOWN: Final = 10_000


class Pace:
    """Tokens by key, as many as come back in a minute; whoever was seen longest ago is forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, key: str, *, per_minute: int) -> float:
        """Take one token and return 0, or return in how many seconds there is one."""
        now = clock.monotonic()
        with self._lock:
            left, at = self._left.pop(key, (float(per_minute), now))
            left = min(float(per_minute), left + (now - at) * per_minute / 60)
            wait_s = 0.0 if left >= 1 else (1 - left) * 60 / per_minute
            self._left[key] = (left if wait_s else left - 1, now)
            while len(self._left) > _MOST_KNOWN:
                self._left.popitem(last=False)
        return wait_s
