"""What 100,000 waiting executions cost: the claim, an idle pass and dispatch, without and with them.

Works in the configured database, in a project of its own that it removes again. The executions
begin to wait by the engine itself: half of them have a time limit, all wait for an event by a key
of their own. The reference is the same measurement before any of them is there, and while a few
are: an event of a kind that somebody waits for is looked at, however many wait.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

from leadsend.access.models import Project
from leadsend.bench.engine import _COPY_PENDING, _drain, _project, _publish, _time
from leadsend.lib import clock, ids
from leadsend.lib.postgres import Connection, connect
from runtime import claiming
from runtime.draining import Engine, Options, run_until_idle
from triggers import inbox
from triggers.dispatch import dispatch_batch
from triggers.events import NewEvent

WAITING: Final = 100_000
ANSWERED: Final = 200
_FEW: Final = 200
_CHUNK: Final = 10_000
_REPEATS: Final = 200


def run(*, waiting: int = WAITING) -> dict[str, Any]:
    """Return milliseconds by name, each ``without`` and ``with`` the waiting ones, and with a ``few``.

    ``claim_nothing`` is a claim that finds nothing, ``idle_pass_cpu`` the processor time of an
    engine's pass without work, ``dispatch_others`` that of 100 events of the kind that is waited
    for, under keys nobody waits for. ``answer``
    is from the accepted event to the recorded end of the run, one at a time.
    """
    with _project() as project, connect("bench") as connection:
        try:
            figures: dict[str, Any] = {"waiting": waiting}
            without = _measured(connection, project)
            flows = [_publish(project, name, [_step(cfg)]) for name, cfg in _FLOWS.items()]
            _insert(connection, project, flows, range(waiting, waiting + _FEW))
            _drain()
            few = _measured(connection, project)
            began = clock.monotonic()
            for first in range(0, waiting, _CHUNK):
                _insert(connection, project, flows, range(first, min(first + _CHUNK, waiting)))
                _drain()
            figures["begin_to_wait_per_s"] = round(waiting / (clock.monotonic() - began))
            connection.execute("ANALYZE execution_wait, execution_timer, workflow_execution")
            with_them = _measured(connection, project)
            for name, before in without.items():
                figures[name] = {"without": before, "few": few[name], "with": with_them[name]}
            return figures | _answers(connection, project) | _sizes(connection, waiting)
        finally:
            connection.execute(_CLEAN_TIMERS, [project.pk])
            connection.execute("DELETE FROM execution_wait WHERE project_id = %s", [project.pk])
            connection.execute("DELETE FROM trigger_event WHERE project_id = %s", [project.pk])


def _measured(connection: Connection, project: Project) -> dict[str, float]:
    worker = ids.uuid7()
    claim = partial(claiming.claim, connection, worker_id=worker, lease_s=30, limit=100)
    return {
        "claim_nothing_ms": _median_ms(claim, _REPEATS),
        "idle_pass_cpu_ms": _idle_pass_cpu_ms(),
        "dispatch_100_others_ms": _median_ms(partial(_dispatch_others, connection, project), 20),
    }


def _idle_pass_cpu_ms() -> float:
    engine = Engine(Options(before_pass=[dispatch_batch]))
    try:
        run_until_idle(engine)
        began = time.process_time()
        for _ in range(_REPEATS):
            engine.claim_soon()
            engine.once()
        return round((time.process_time() - began) / _REPEATS * 1000, 3)
    finally:
        engine.close()


def _dispatch_others(connection: Connection, project: Project) -> None:
    _accept(project, [f"nobody-{ids.uuid7()}" for _ in range(100)])
    while dispatch_batch(connection):
        pass


def _answers(connection: Connection, project: Project) -> dict[str, float]:
    engine = Engine(Options(before_pass=[dispatch_batch]))
    taken = []
    try:
        for number in range(ANSWERED):
            _accept(project, [f"lead-{number}"])
            began = clock.monotonic()
            run_until_idle(engine)
            taken.append((clock.monotonic() - began) * 1000)
    finally:
        engine.close()
    ended = connection.execute(_ENDED, [project.pk]).fetchall()[0][0]
    marks = statistics.quantiles(taken, n=100)
    return {
        "answered": ended,
        "answer_p50_ms": round(statistics.median(taken), 2),
        "answer_p99_ms": round(marks[98], 2),
    }


def _sizes(connection: Connection, waiting: int) -> dict[str, int]:
    size = connection.execute(_SIZE).fetchall()[0][0]
    return {"bytes_of_wait_and_timer_each": size // waiting}


def _accept(project: Project, keys: Sequence[str]) -> None:
    events = [
        NewEvent(
            project_id=project.pk,
            trigger_key="webhook",
            trigger_type="webhook",
            source="webhook:bench",
            data={"key": key},
        )
        for key in keys
    ]
    inbox.accept(events)


def _insert(
    connection: Connection,
    project: Project,
    flows: Sequence[tuple[UUID, UUID]],
    numbers: Sequence[int],
) -> None:
    with connection.cursor() as cursor, cursor.copy(_COPY_PENDING) as copy:
        for number in numbers:
            event = f'{{"key": "lead-{number}"}}'
            copy.write_row((ids.uuid7(), project.pk, *flows[number % len(flows)], event))


def _median_ms(act: Callable[[], Any], repeats: int) -> float:
    return round(statistics.median(_time(act) * 1000 for _ in range(repeats)), 3)


def _step(cfg: dict[str, Any]) -> dict[str, Any]:
    return {"id": "wait", "kind": "wait", "cfg": cfg}


_EVENT: Final = {"for": "event", "trigger_key": "webhook", "key": "{{ event.key }}"}
_FLOWS: Final[dict[str, dict[str, Any]]] = {
    "for-ever": _EVENT,
    "for-a-month": {**_EVENT, "timeout": {"value": 30, "unit": "days"}},
}
_ENDED: Final = (
    "SELECT count(*) FROM workflow_execution WHERE project_id = %s AND status = 'SUCCESS'"
)
_SIZE: Final = (
    "SELECT pg_total_relation_size('execution_wait') + pg_total_relation_size('execution_timer')"
)
_CLEAN_TIMERS: Final = """
DELETE FROM execution_timer WHERE execution_id IN (
  SELECT id FROM workflow_execution WHERE project_id = %s)
"""
