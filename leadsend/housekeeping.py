"""What somebody has to do now and then whoever else runs: next months' tables, old event keys.

Every engine process does it once an hour, so an installation without beat is looked after too.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from django.db import Error as DatabaseError
from django.db import connection

from runtime import retention
from triggers.forgetting import forget_event_keys

log = logging.getLogger(__name__)

EVERY_S: Final = 3600.0
_AFTER_FAILURE_S: Final = 60.0


def keep_house() -> None:
    """Do what is due, once an hour, until the process ends."""
    never = threading.Event()
    while True:
        pause_s = EVERY_S if tidy() else _AFTER_FAILURE_S
        never.wait(pause_s)


def tidy() -> bool:
    """Do what is due; return False when the database could not be asked."""
    try:
        retention.ensure_partitions()
        forget_event_keys()
    except DatabaseError as error:
        log.warning("housekeeping failed", extra={"error": str(error)[:200]})
        return False
    finally:
        connection.close()
    return True
