"""The first and, mostly, only write of executions that began in memory: as they are by then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from leadsend.lib.postgres import Connection
from runtime.copying import NULL, copy_in, json, line, milliseconds, moment, number, text, uuid
from runtime.engine.transitions import EXECUTION_FINAL
from runtime.hiding import hidden
from runtime.placing import placed_json
from runtime.runs import Run
from runtime.starts import Start
from runtime.storable import to_json


def write(connection: Connection, said: Sequence[tuple[Run, str]], *, lease_s: float) -> None:
    """Insert the rows of those runs that have none, each under the status given with it."""
    times = _Times()
    lines = [
        _line(run, run.claimed.start, status, lease_s, times)
        for run, status in said
        if run.batch is not None and run.claimed.start is not None
    ]
    if lines:
        copy_in(connection, _COPY, lines)


class _Times:
    """Moments as text; one that is the same for a whole batch is written out once."""

    def __init__(self) -> None:
        self._claimed: datetime | None = None
        self._text = ""

    def claimed(self, at: datetime) -> str:
        """Return the moment of a claim."""
        if at is not self._claimed:
            self._claimed, self._text = at, moment(at)
        return self._text


def _line(run: Run, start: Start, status: str, lease_s: float, times: _Times) -> str:
    claimed, target, now = run.claimed, start.target, run.clock()
    is_running, is_final = status == "RUNNING", status in EXECUTION_FINAL
    keeps_claim = is_running or is_final
    received_at, claimed_at = moment(start.received_at), times.claimed(claimed.claimed_at)
    finish = run.finish
    return line(
        uuid(run.id),
        uuid(target.project_id),
        uuid(target.workflow_id),
        uuid(target.version_id),
        uuid(target.subscription_id),
        uuid(start.event_id),
        text(target.trigger_key),
        text(target.trigger_type),
        status,
        moment(run.due_at) if status == "PENDING" and run.due_at else received_at,
        number(claimed.fence),
        moment(now + timedelta(seconds=lease_s)) if is_running else NULL,
        uuid(claimed.worker_id) if is_running else NULL,
        claimed_at if keeps_claim else NULL,
        json(to_json(run.intents())) if is_running else NULL,
        json(start.event or "{}"),
        json(start.request),
        text(run.business_key),
        json(to_json(hidden(run, finish.error))) if finish and finish.error else NULL,
        json(placed_json(hidden(run, finish.output), run)) if finish else NULL,
        json(to_json(run.metrics(now))) if finish else NULL,
        number(start.replay),
        number(target.timeout_s),
        "0" if is_running else number(run.run_ms(now)),
        moment(claimed.deadline_at) if keeps_claim else NULL,
        received_at,
        claimed_at,
        moment(now) if is_final else NULL,
        number(milliseconds(claimed.started_at, now)) if is_final else NULL,
    )


_COPY: Final = """
COPY workflow_execution (id, project_id, workflow_id, version_id, subscription_id,
  trigger_event_id, trigger_key, trigger_type, status, run_after, fence, lease_until, worker_id,
  claimed_at, pending, context_data, request_data, business_key, error, output, metrics, replay,
  timeout_s, run_ms, deadline_at, created_at, started_at, ended_at, execution_time) FROM STDIN
"""
