"""Turns accepted events into pending executions, many in one commit."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
import psycopg

from leadsend.lib.errors import LeadSendError
from leadsend.lib.input_guard import clean_text
from leadsend.lib.postgres import Connection
from runtime.batches import Taken, leave_trace
from runtime.starts import Terms
from triggers import answering, beginning, failures, holding, large_events
from triggers.dispatch_statements import (
    CANDIDATES,
    EVENTS,
    NEXT,
    START,
    TAKE_ONE,
    TELL_FATE,
    TELL_STARTED,
    WORKFLOWS,
)
from triggers.matching import Arrival, Outcome, Start, Target, Targets, decide, told
from triggers.taking import Taker

MOST_AT_ONCE = 200
# Faults of one row, as against a database that is away.
_FAULTS = (
    psycopg.DataError,
    psycopg.IntegrityError,
    LeadSendError,
    ArithmeticError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)

log = logging.getLogger(__name__)
_TAKER = Taker()


def dispatch_batch(connection: Connection, limit: int = MOST_AT_ONCE) -> int:
    """Move up to ``limit`` inbox rows on, in one commit; return how many were looked at.

    Safe beside any number of others: rows are taken with SKIP LOCKED and deleted in the same
    commit, and an execution's id is computed from what starts it. ``connection`` is in autocommit;
    raises psycopg.Error, and then nothing has changed. When one row of a batch is at fault, the
    rows go one by one, and the faulty event keeps its error.
    """
    try:
        return _dispatch_on(connection, limit, terms=None).moved
    except holding.Overtaken:
        return 0
    except _FAULTS as error:
        log.warning("batch not dispatched, rows go one by one", extra={"error": str(error)})
        return _dispatch_singly(connection, limit)


def take(connection: Connection, terms: Terms) -> Taken:
    """Move inbox rows on as ``dispatch_batch`` does; what may begin at once is handed back.

    Of those executions a trace is committed, and no row yet (``runtime.batches``).
    """
    limit = terms.room or MOST_AT_ONCE
    try:
        return _dispatch_on(connection, limit, terms=terms)
    except holding.Overtaken:
        return Taken()
    except _FAULTS as error:
        log.warning("batch not dispatched, rows go one by one", extra={"error": str(error)})
        moved = _dispatch_singly(connection, limit)
        return Taken(moved=moved, has_pending=bool(moved))


def _dispatch_on(connection: Connection, what: int | UUID, *, terms: Terms | None) -> Taken:
    with connection.transaction():
        taken, arrivals = _take(connection, what)
        late = large_events.bring_in(arrivals)
        if late:
            large_events.put_back(connection, late)
            taken -= len(late)
            arrivals = [arrival for arrival in arrivals if arrival not in late]
        if not arrivals:
            return Taken(moved=taken)
        targets = _targets(connection, arrivals)
        outcome = decide(arrivals, targets)
        held = holding.hold_back(connection, outcome) if targets.may_hold_back else None
        now, later = beginning.split(outcome.starts, terms)
        _start(connection, later)
        if held is not None:
            holding.put_in_line(connection, held)
        batch = leave_trace(connection, beginning.starts(now), terms) if now and terms else None
        if arrivals[0].may_answer:
            answering.answer_waits(connection, arrivals, outcome)
        _tell(connection, arrivals, outcome)
        _tell_handlers(connection, outcome.failures)
    return Taken(moved=taken, has_pending=bool(later), batch=batch)


def _dispatch_singly(connection: Connection, limit: int) -> int:
    taken = 0
    for row_id, event_id in connection.execute(NEXT, [limit]).fetchall():
        try:
            taken += _dispatch_on(connection, row_id, terms=None).moved
        except holding.Overtaken:
            continue
        except _FAULTS as error:
            log.exception("event not dispatched", extra={"event": str(event_id)})
            _give_up(connection, row_id, event_id, str(error))
            taken += 1
    return taken


def _give_up(connection: Connection, row_id: UUID, event_id: UUID, reason: str) -> None:
    """Keep the event with its error, and tell the failure handler.

    A person can replay it once the fault is mended.
    """
    fate = told("dispatch_failed", f"The event could not be dispatched: {clean_text(reason)}")
    with connection.transaction():
        rows = connection.execute(TAKE_ONE, [row_id]).fetchall()
        connection.execute(
            TELL_FATE, [[event_id], [orjson.dumps(fate).decode()], [True], [event_id]]
        )
        _tell_handlers(connection, [(Arrival(*row), fate, None) for row in rows])


def _take(connection: Connection, what: int | UUID) -> tuple[int, list[Arrival]]:
    """Return how many rows were taken, and those whose event is still kept.

    ``what`` is how many rows to take at most, or the one to take.
    """
    if isinstance(what, int):
        rows = _TAKER.take(connection, what)
    else:
        rows = connection.execute(TAKE_ONE, [what]).fetchall()
    arrivals = [Arrival(*row) for row in rows]
    wanted = list({arrival.event_id for arrival in arrivals})
    found = {row[0]: row for row in connection.execute(EVENTS, [wanted]).fetchall()} if rows else {}
    for arrival in arrivals:
        if arrival.event_id in found:
            row = found[arrival.event_id]
            arrival.project_id, arrival.source = row[1], row[2]
            arrival.data_text, arrival.request_text = row[3], row[4]
            arrival.trigger_key, arrival.trigger_type = row[5], row[6]
            arrival.may_answer = row[7]
    # An event whose month was dropped has nothing to start any more.
    return len(rows), [arrival for arrival in arrivals if arrival.project_id is not None]


def _targets(connection: Connection, arrivals: Sequence[Arrival]) -> Targets:
    sources = list({arrival.source for arrival in arrivals})
    workflows = list({a.workflow_id for a in arrivals if a.workflow_id is not None})
    targets = Targets()
    for row in connection.execute(CANDIDATES, [sources]).fetchall():
        targets.add_subscription(Target(*row))
    if workflows:
        for row in connection.execute(WORKFLOWS, [workflows]).fetchall():
            targets.add_workflow(Target(*row))
    return targets


def _start(connection: Connection, starts: Sequence[Start]) -> None:
    """Insert the executions; data is copied inside the database, without a way through here."""
    if not starts:
        return
    rows = [_row(start) for start in starts]
    columns = [list(column) for column in zip(*rows, strict=True)]
    events = list({start.arrival.event_id for start in starts})
    connection.execute(START, [*columns, events])


def _row(start: Start) -> tuple[Any, ...]:
    target, arrival = start.target, start.arrival
    return (
        start.execution_id,
        arrival.event_id,
        target.workflow_id,
        target.version_id,
        target.subscription_id,
        start.business_key,
        arrival.replay,
        start.timeout_s,
        arrival.received_at,
        "WAITING" if start.is_waiting else "PENDING",
        target.flow.priority,
        start.concurrency_key,
    )


def _tell(connection: Connection, arrivals: Sequence[Arrival], outcome: Outcome) -> None:
    fates = outcome.fates
    replayed = {arrival.event_id for arrival in arrivals if arrival.replay}
    if fates:
        texts = [orjson.dumps(fate).decode() for fate in fates.values()]
        is_first = [event_id not in replayed for event_id in fates]
        connection.execute(TELL_FATE, [list(fates), texts, is_first, list(fates)])
    started = {start.arrival.event_id for start in outcome.starts} - fates.keys()
    if replayed & started:
        connection.execute(TELL_STARTED, [list(replayed & started)])


def _tell_handlers(
    connection: Connection, failed: Sequence[tuple[Arrival, dict[str, str], UUID | None]]
) -> None:
    """Start the handlers of events that could not be dealt with; most batches have none."""
    if not failed:
        return
    found = [
        failures.of_event(
            arrival.event_id,
            replay=arrival.replay,
            code=fate["code"],
            message=fate["reason"],
            subscription_id=arrival.subscription_id,
            workflow_id=workflow_id or arrival.workflow_id,
        )
        for arrival, fate, workflow_id in failed
    ]
    connection.execute(*failures.start_handlers(found))
