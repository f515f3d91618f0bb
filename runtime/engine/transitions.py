"""The statuses an execution and a step may go to, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

EXECUTION_FINAL: Final = frozenset({"SUCCESS", "FAILED", "CANCELLED", "TIMED_OUT"})
STEP_FINAL: Final = frozenset({"SUCCESS", "FAILED", "SKIPPED", "CANCELLED", "TIMED_OUT"})

EXECUTION_TRANSITIONS: Final[Mapping[str, frozenset[str]]] = {
    "PENDING": frozenset({"RUNNING", "PAUSED", "CANCELLED", "TIMED_OUT"}),
    # To PENDING when its lease is lost.
    "RUNNING": frozenset({"PENDING", "WAITING", "PAUSED"}) | EXECUTION_FINAL,
    # To PENDING when it is due.
    "WAITING": frozenset({"PENDING", "PAUSED", "CANCELLED", "TIMED_OUT"}),
    "PAUSED": frozenset({"PENDING", "WAITING", "CANCELLED", "TIMED_OUT"}),
} | dict.fromkeys(EXECUTION_FINAL, frozenset())

# A step row is one attempt: a retry is a new row, so FAILED leads nowhere.
STEP_TRANSITIONS: Final[Mapping[str, frozenset[str]]] = {
    "PENDING": frozenset({"RUNNING", "WAITING", "UNCERTAIN"}) | STEP_FINAL,
    "RUNNING": frozenset({"PENDING", "WAITING", "UNCERTAIN"}) | STEP_FINAL,
    "WAITING": frozenset({"SUCCESS", "FAILED", "CANCELLED", "TIMED_OUT"}),
    "UNCERTAIN": frozenset({"SUCCESS", "FAILED", "CANCELLED"}),
} | dict.fromkeys(STEP_FINAL, frozenset())


def can_execution_go(before: str, after: str) -> bool:
    """Say whether one commit may leave an execution in ``after``.

    A commit may pass through several statuses (claim, run and finish), so every status that can be
    reached is allowed; nothing is reached from a final one but itself.
    """
    return before == after or after in _reachable(before, EXECUTION_TRANSITIONS)


def can_step_go(before: str, after: str) -> bool:
    """Say whether a step row may go from one status to the other, directly."""
    return before == after or after in STEP_TRANSITIONS[before]


def _reachable(start: str, table: Mapping[str, frozenset[str]]) -> set[str]:
    seen: set[str] = set()
    open_ends = [start]
    while open_ends:
        for status in table[open_ends.pop()] - seen:
            seen.add(status)
            open_ends.append(status)
    return seen
