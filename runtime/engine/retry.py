"""How long to wait before a failed attempt is tried again."""

from __future__ import annotations

from collections.abc import Callable

from registry.sdk.action import RetryPolicy

LONGEST_RETRY_AFTER_S = 24 * 3600.0
_MOST_DOUBLINGS = 40  # beyond it every delay is at its cap, and a float might overflow


def next_delay(
    policy: RetryPolicy,
    attempt: int,
    *,
    random: Callable[[], float],
    retry_after_s: float | None = None,
) -> float | None:
    """Return the seconds to wait before the next attempt, or None when none is left.

    ``attempt`` counts tries already made, from 1. The ceiling doubles each time from
    ``policy.base_s`` up to ``policy.max_delay_s``; the delay is a random part of it (full jitter:
    ``random`` returns 0 to 1), so that failures that came together do not come back together.
    ``retry_after_s``, what the other side asked for, replaces it, up to 24 h.
    Raises ValueError when ``attempt`` is below 1.
    """
    if attempt < 1:
        raise ValueError(f"attempt counts from 1, not {attempt}")
    if attempt >= policy.attempts:
        return None
    if retry_after_s is not None and retry_after_s > 0:
        return min(retry_after_s, LONGEST_RETRY_AFTER_S)
    doublings = min(attempt - 1, _MOST_DOUBLINGS)
    return random() * min(policy.max_delay_s, policy.base_s * 2.0**doublings)
