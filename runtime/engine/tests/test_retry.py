from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.sdk.action import RetryPolicy
from runtime.engine.retry import LONGEST_RETRY_AFTER_S, next_delay

POLICY = RetryPolicy(attempts=20, base_s=2.0, max_delay_s=900.0)


def _longest(attempt: int, policy: RetryPolicy = POLICY) -> float | None:
    return next_delay(policy, attempt, random=lambda: 1.0)


def test_delays_double_up_to_the_cap():
    assert [_longest(n) for n in (1, 2, 3, 4)] == [2, 4, 8, 16]
    assert _longest(10) == 900
    assert _longest(19) == 900


def test_no_delay_is_left_after_the_last_attempt():
    policy = replace(POLICY, attempts=3)

    assert _longest(2, policy) is not None
    assert _longest(3, policy) is None
    assert _longest(4, policy) is None


def test_what_the_other_side_asks_for_is_honoured_up_to_a_day():
    def asked(seconds: float) -> float | None:
        return next_delay(POLICY, 1, random=lambda: 0.5, retry_after_s=seconds)

    assert asked(3) == 3
    assert asked(5_000) == 5_000
    assert asked(10**9) == LONGEST_RETRY_AFTER_S
    assert asked(float("inf")) == LONGEST_RETRY_AFTER_S


@pytest.mark.parametrize("asked", [0.0, -5.0, float("nan")])
def test_a_senseless_wish_of_the_other_side_falls_back_to_jitter(asked: float) -> None:
    assert next_delay(POLICY, 2, random=lambda: 0.5, retry_after_s=asked) == 2.0


def test_an_attempt_below_one_is_refused():
    with pytest.raises(ValueError, match="counts from 1"):
        next_delay(POLICY, 0, random=lambda: 0.5)


policies = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 10**6),
    base_s=st.floats(0.001, 10**6),
    max_delay_s=st.floats(0.001, 10**6),
)


@given(policy=policies, attempt=st.integers(1, 10**6), part=st.floats(0, 1))
def test_a_delay_never_passes_its_cap_and_attempts_end(policy, attempt, part):
    delay = next_delay(policy, attempt, random=lambda: part)

    if attempt >= policy.attempts:
        assert delay is None
    else:
        assert delay is not None
        assert 0 <= delay <= policy.max_delay_s
