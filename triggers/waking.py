"""Tells the engines that something waits for them. A hint only: they also look by themselves."""

from __future__ import annotations

import logging

from django.db import DatabaseError, connection, transaction

from runtime import queueing

log = logging.getLogger(__name__)

NOTIFY = "NOTIFY leadsend_wake"
# A lost hint costs nothing, so its commit need not wait for the disk.
_NOTIFY_AT_ONCE = f"SET LOCAL synchronous_commit = off; {NOTIFY}"


def wake_after_commit() -> None:
    """Wake the engines once the caller's transaction is committed, at once when there is none."""
    queueing.ring()
    transaction.on_commit(_notify, robust=True)


def _notify() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute(_NOTIFY_AT_ONCE)
    except DatabaseError as error:
        # The event is committed; engines that hear nothing look once a second.
        log.warning("wake-up not sent", extra={"error": str(error)})
