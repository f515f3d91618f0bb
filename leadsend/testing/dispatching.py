"""Runs dispatch on the connection of a test, where it sees what the test has not committed."""

from __future__ import annotations

from django.db import connection

from triggers.dispatch import dispatch_batch


def dispatch_all() -> int:
    """Dispatch until the inbox is empty; return how many inbox rows that were."""
    connection.ensure_connection()
    raw = connection.connection
    assert raw is not None
    total = 0
    while count := dispatch_batch(raw):
        total += count
    return total
