"""When a step with several edges in may start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from leadsend.lib.errors import ConfigurationError

Standing = Literal["blocked", "ready", "dead"]


def threshold_of(join: Any, *, incoming: int) -> int:
    """Return how many arrivals start a step before all of its edges are settled.

    ``join`` is ``"all"``, ``"any"`` or ``{"first": n}`` with n from 1. Raises ConfigurationError
    for anything else.
    """
    if join == "all":
        return incoming
    if join == "any":
        return 1
    wanted = join.get("first") if isinstance(join, Mapping) else None
    if isinstance(wanted, int) and not isinstance(wanted, bool) and wanted >= 1:
        return wanted
    raise ConfigurationError(
        f'A join is "all", "any" or {{"first": n}}, not {join!r}.', code="join_unknown"
    )


def standing(arrived: int, dead: int, *, incoming: int, threshold: int) -> Standing:
    """Say whether a step may start, from the numbers of its incoming edges by state.

    A dead edge (its branch was not taken) counts as settled, so a join never waits for it: a step
    all of whose edges are settled is ready when one of them arrived, and dead when none did. A
    step without incoming edges is a start.
    """
    if arrived + dead == incoming:
        return "ready" if arrived or not incoming else "dead"
    return "ready" if arrived >= threshold else "blocked"
