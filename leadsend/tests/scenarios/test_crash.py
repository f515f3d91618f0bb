"""Processes are killed while leads keep coming: the short form of the crash story."""

from __future__ import annotations

from typing import Any

import pytest

from leadsend.testing.pooler import MISSING, PooledStack, find_pgbouncer
from leadsend.trust import crash

pytestmark = pytest.mark.scenario
# Connections of one process by what they are for (docs/scaling.md); the story has one web process,
# two workers with an engine each, and one beat.
WEBS, WORKERS, BEATS = 1, 2, 1
BUDGET = {
    "leadsend uvicorn": 12 * WEBS,
    "leadsend ring": WEBS,
    "leadsend accept": 2 * WEBS + WORKERS,  # the pump of an engine is one of these
    "leadsend engine": 2 * WORKERS,
    "leadsend wake": WORKERS,
    "leadsend engine_process": 3 * WORKERS,  # reaper, housekeeping, bulk jobs
    "leadsend gates": WORKERS,
    "leadsend celery": 12 * WORKERS + BEATS,
}


@pytest.mark.parametrize("broker", ["redis", "postgres"])
def test_no_lead_is_lost_doubled_or_stuck_while_processes_are_killed(broker: str) -> None:
    result = crash.run(is_full=False, seed=1, broker=broker)

    expect_nothing_lost_doubled_or_stuck(result)
    over = {n: c for n, c in result["connections"].items() if c > BUDGET.get(n, 0)}
    assert not over, over


@pytest.mark.skipif(find_pgbouncer() is None, reason=MISSING)
def test_the_same_holds_behind_a_pooler_in_transaction_mode() -> None:
    result = crash.run(is_full=False, seed=2, kind=PooledStack)

    expect_nothing_lost_doubled_or_stuck(result)


def expect_nothing_lost_doubled_or_stuck(result: dict[str, Any]) -> None:
    assert result["accepted"] == result["finished"] == result["effects"] == result["events"], result
    assert result["with_two_keys"] == 0, result
    assert result["not_final"] == 0, result
