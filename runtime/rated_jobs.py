"""What jobs on many things have in common: whose turn it is, how much may go on, what is refused."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar

from django.db import Error as DatabaseError
from django.db import transaction

from leadsend.lib.errors import LeadSendError
from runtime.models import BulkStatus, RatedJob

log = logging.getLogger(__name__)

BATCH: Final = 25
# A job that nobody worked on for a while does not catch up all at once.
MOST_CATCHING_UP_S: Final = 5.0

Job = TypeVar("Job", bound=RatedJob)
Result = TypeVar("Result")


def next_job(kind: type[Job]) -> Job | None:
    """Lock and return the running job that waited longest; those that others lock are passed over."""
    rows: Any = kind._default_manager.select_for_update(skip_locked=True, of=("self",))
    running = rows.filter(status=BulkStatus.RUNNING).select_related("project", "created_by")
    found: Job | None = running.order_by("worked_at").first()
    return found


def room(job: RatedJob, now: datetime) -> int:
    """Return how many a job may deal with now, by its rate."""
    waited_s = (now - job.worked_at).total_seconds()
    return min(BATCH, int(job.per_second * min(waited_s, MOST_CATCHING_UP_S)))


def attempt(job: RatedJob, act: Callable[[], Result]) -> tuple[Result | None, str]:
    """Do one act inside a savepoint; return its result, or None and why it was refused.

    Raises what the database does: then the whole batch did nothing.
    """
    try:
        with transaction.atomic():
            return act(), ""
    except LeadSendError as error:
        return None, error.message[:500]
    except DatabaseError:
        raise
    except Exception as error:
        # A bug of ours in one of many must not hold up the others for ever.
        log.exception("act of a job failed", extra={"job": str(job.pk)})
        return None, f"Unexpected: {error!r}"[:500]
