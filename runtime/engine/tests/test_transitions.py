from __future__ import annotations

from typing import get_args

import pytest

from runtime.engine.state import StepStatus
from runtime.engine.transitions import (
    EXECUTION_FINAL,
    EXECUTION_TRANSITIONS,
    STEP_FINAL,
    STEP_TRANSITIONS,
    can_execution_go,
    can_step_go,
)


def test_every_status_is_in_the_table():
    assert set(STEP_TRANSITIONS) == set(get_args(StepStatus))
    assert set().union(*STEP_TRANSITIONS.values()) <= set(STEP_TRANSITIONS)
    assert set().union(*EXECUTION_TRANSITIONS.values()) <= set(EXECUTION_TRANSITIONS)


@pytest.mark.parametrize("status", sorted(STEP_FINAL))
def test_a_final_step_goes_nowhere(status: str) -> None:
    assert [after for after in STEP_TRANSITIONS if can_step_go(status, after)] == [status]


@pytest.mark.parametrize("status", sorted(EXECUTION_FINAL))
def test_a_final_execution_goes_nowhere(status: str) -> None:
    assert [a for a in EXECUTION_TRANSITIONS if can_execution_go(status, a)] == [status]


@pytest.mark.parametrize("status", sorted(set(EXECUTION_TRANSITIONS) - EXECUTION_FINAL))
def test_every_other_execution_can_still_end_in_any_way(status: str) -> None:
    assert all(can_execution_go(status, final) for final in EXECUTION_FINAL)
    assert can_execution_go(status, "CANCELLED")


def test_one_commit_may_pass_through_several_statuses():
    assert can_execution_go("PENDING", "SUCCESS")
    assert "SUCCESS" not in EXECUTION_TRANSITIONS["PENDING"]
