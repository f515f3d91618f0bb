"""Waits for an execution's end without holding a database connection in the meantime."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID

from django.db import connection

from leadsend.lib import clock
from runtime.models import Execution

LONGEST_S = 25.0
_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.25


def wait_for(
    execution_id: UUID,
    *,
    longest_s: float = LONGEST_S,
    sleep: Callable[[float], object] = time.sleep,
) -> Execution | None:
    """Return the execution once it is final, or None when it is not in time; blocks.

    Views run in threads, so nobody else waits. The connection goes back between two looks.
    """
    end = clock.monotonic() + longest_s
    pause = _FIRST_PAUSE_S
    while True:
        found: Execution | None = Execution.objects.filter(pk=execution_id).first()
        if found is not None and found.is_final:
            return found
        if clock.monotonic() + pause > end:
            return None
        if not connection.in_atomic_block:
            connection.close()
        sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_S)
