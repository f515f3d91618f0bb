"""What webhooks refused or had heard before, kept for who wonders why nothing started.

Counted in memory and written once a second, same ones together: a flood of wrong requests costs
one row a second and reason. What a process had not written yet when it ended is not told; only
requests that were refused are concerned.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import connection

from leadsend.lib import clock, ids
from leadsend.lib.input_guard import clean_text
from triggers.models import WebhookRefusal

log = logging.getLogger(__name__)

EVERY_S: Final = 1.0
KEPT_DAYS: Final = 14
REPEATED: Final = "repeated"
_MOST_AT_ONCE: Final = 1_000
_BATCH: Final = 10_000


@dataclass(slots=True, kw_only=True)
class _Count:
    event_id: UUID | None
    last_at: datetime
    count: int = 0


_Key = tuple[UUID, UUID, int, str, str]


class Refusals:
    """The refusals of this process that are not written yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[_Key, _Count] = {}
        self._timer: threading.Timer | None = None

    def note(
        self,
        *,
        endpoint_id: UUID,
        project_id: UUID,
        status: int,
        code: str,
        message: str,
        event_id: UUID | None = None,
    ) -> None:
        """Count one; never blocks on the database. Beyond 1,000 kinds a second, none is added."""
        key = (endpoint_id, project_id, status, code, clean_text(message)[:300])
        with self._lock:
            found = self._counts.get(key)
            if found is None:
                if len(self._counts) >= _MOST_AT_ONCE:
                    return
                found = self._counts[key] = _Count(event_id=event_id, last_at=clock.now())
            found.count, found.last_at = found.count + 1, clock.now()
            if self._timer is None:
                self._timer = self._start_timer()

    def write(self) -> int:
        """Write what is counted; return how many rows. Raises what the database does."""
        with self._lock:
            counts, self._counts, self._timer = self._counts, {}, None
        rows = [
            WebhookRefusal(
                id=ids.uuid7(),
                endpoint_id=endpoint_id,
                project_id=project_id,
                status=status,
                code=code,
                message=message,
                event_id=found.event_id,
                count=found.count,
                received_at=found.last_at,
            )
            for (endpoint_id, project_id, status, code, message), found in counts.items()
        ]
        WebhookRefusal.objects.bulk_create(rows)
        return len(rows)

    def _start_timer(self) -> threading.Timer:
        timer = threading.Timer(EVERY_S, self._write_later)
        timer.daemon = True
        timer.start()
        return timer

    def _write_later(self) -> None:
        try:
            self.write()
        except DatabaseError as error:
            log.warning("refusals not written", extra={"error": str(error)[:200]})
        finally:
            connection.close()


def forget_refusals() -> int:
    """Delete what is older than two weeks; return how many rows. For housekeeping."""
    before = clock.now() - timedelta(days=KEPT_DAYS)
    old = WebhookRefusal.objects.filter(received_at__lt=before).order_by("received_at")
    count = 0
    while batch := list(old.values_list("pk", flat=True)[:_BATCH]):
        count += WebhookRefusal.objects.filter(pk__in=batch).delete()[0]
    return count


refusals: Final = Refusals()
