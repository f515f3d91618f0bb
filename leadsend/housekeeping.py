"""What somebody has to do now and then whoever else runs: next months' tables, old event keys.

Every engine process does it once an hour, so an installation without beat is looked after too.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from django.db import Error as DatabaseError
from django.db import connection

from runtime import retention
from triggers.forgetting import forget_event_keys, forget_events
from triggers.refusals import forget_refusals
from triggers.replay_jobs import forget_jobs

log = logging.getLogger(__name__)

EVERY_S: Final = 3600.0
_AFTER_FAILURE_S: Final = 60.0
# Each is safe to call twice and by many at once.
CHORES: tuple[Callable[[], object], ...] = (
    retention.ensure_partitions,
    forget_event_keys,
    forget_events,
    forget_refusals,
    forget_jobs,
)


def keep_house(stop: threading.Event | None = None) -> None:
    """Do what is due, once an hour, until the process ends or ``stop`` is set."""
    stop = stop or threading.Event()
    pause_s = 0.0
    while not stop.wait(pause_s):
        pause_s = EVERY_S if tidy() else _AFTER_FAILURE_S


def tidy() -> bool:
    """Do every chore that is due; return False when one of them failed. Never raises.

    A chore that fails keeps no other from being done, nor this one from being tried again.
    """
    try:
        failures = [chore for chore in CHORES if not _done(chore)]
        return not failures
    finally:
        connection.close()


def _done(chore: Callable[[], object]) -> bool:
    try:
        chore()
    except DatabaseError as error:
        log.warning("housekeeping failed", extra={"error": str(error)[:200]})
    except Exception:
        # The edge of a thread: nobody else would hear of it.
        log.exception("housekeeping failed")
    else:
        return True
    return False
