"""The engine against a slow reference interpreter, over random graphs of up to a hundred steps.

Hard gate: the same end and the same status of every step, whatever the order of the answers.
"""

from __future__ import annotations

import time
from typing import Any

from runtime.engine.tests.any_order import check_graph

GRAPHS, FEW = 10_000, 300


def run(*, is_full: bool = True, seed: int = 1, broker: str = "") -> dict[str, Any]:
    """Play the graphs of ``seed``; return counts, the first that failed, and ``passed``.

    Needs neither database nor broker. A graph is drawn again from its own number alone.
    """
    count, steps, since = GRAPHS if is_full else FEW, 0, time.monotonic()
    for number in range(seed * GRAPHS, seed * GRAPHS + count):
        try:
            steps += check_graph(number)
        except AssertionError as error:
            return {"graph": number, "error": str(error), "passed": False}
    return {
        "graphs": count,
        "steps": steps,
        "seconds": round(time.monotonic() - since, 1),
        "passed": True,
    }
