"""The one place that reads the machine's clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the current moment as an aware UTC datetime."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Return seconds of a clock that never goes backwards; only differences mean something."""
    return time.monotonic()
