"""Processes are killed while leads keep coming: the short form of the crash story."""

from __future__ import annotations

import pytest

from leadsend.trust import crash

pytestmark = pytest.mark.scenario


@pytest.mark.parametrize("broker", ["redis", "postgres"])
def test_no_lead_is_lost_doubled_or_stuck_while_processes_are_killed(broker: str) -> None:
    result = crash.run(is_full=False, seed=1, broker=broker)

    assert result["accepted"] == result["finished"] == result["effects"] == result["events"], result
    assert result["with_two_keys"] == 0, result
    assert result["not_final"] == 0, result
