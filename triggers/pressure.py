"""When webhooks are refused because too much waits already: too long a queue, or too full a disk.

Asked on the accept path, so neither counts nor looks for each request: the length of a queue is
looked up together with the endpoint and remembered with it, the disk's state for some seconds.
"""

from __future__ import annotations

import logging
import os
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connection

from leadsend.lib import clock
from leadsend.lib.errors import TooManyRequests, Unavailable
from leadsend.lib.ids import uuid7
from triggers import lanes

log = logging.getLogger(__name__)

RETRY_AFTER_S: Final = 10
LEAST_FREE: Final = 0.10
_LOOK_AGAIN_S: Final = 5.0
_seen: dict[str, tuple[bool, float]] = {}


def is_queue_full(workflow_id: UUID, source: str) -> bool:
    """Say whether as many events and runs of a workflow wait as may; one query, which counts no
    further than that.
    """
    most = settings.LEADSEND_MOST_QUEUED
    if most <= 0:
        return False
    low = lanes.lane_start(lanes.place(uuid7(), source))
    high = UUID(int=low.int | (1 << 112) - 1)
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [workflow_id, most, low, high, most])
        waiting: int = cursor.fetchone()[0]
    return waiting >= most


def check(*, is_full: bool) -> None:
    """Refuse an event that there is no room for. Raises TooManyRequests, Unavailable."""
    if is_full:
        raise TooManyRequests(
            "Too many runs of this workflow wait already: send it again later.",
            code="queue_full",
            retry_after_s=RETRY_AFTER_S,
        )
    if settings.LEADSEND_DISK_PATH and _is_disk_low(settings.LEADSEND_DISK_PATH):
        raise Unavailable(
            "The disk is nearly full: nothing more is accepted. Free some space, or make it larger.",
            code="disk_full",
            retry_after_s=RETRY_AFTER_S * 6,
        )


def _is_disk_low(path: str) -> bool:
    is_low, until = _seen.get(path, (False, 0.0))
    if clock.monotonic() >= until:
        is_low = _look(path)
        _seen[path] = (is_low, clock.monotonic() + _LOOK_AGAIN_S)
    return is_low


def _look(path: str) -> bool:
    try:
        found = os.statvfs(path)
    except OSError as error:
        # A wrong path must not stop the intake; the log says so every time it is looked at.
        log.warning("disk not looked at", extra={"path": path, "error": str(error)})
        return False
    return found.f_bavail < found.f_blocks * LEAST_FREE


_WAITING: Final = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM workflow_execution
          WHERE workflow_id = %s AND status = 'PENDING' LIMIT %s) AS runs)
     + (SELECT count(*) FROM (SELECT 1 FROM trigger_inbox
          WHERE id >= %s AND id <= %s LIMIT %s) AS events)
"""
