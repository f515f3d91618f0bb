"""What finding things costs while many executions and steps are stored: claim, lists, counts.

``./dev bench stored --executions 1000000`` is the size of the promise (ten steps each, about 10 GB
and some minutes); without it, a tenth. The rows are made inside the database, in a project of
their own, spread over the last thirty days, and are taken away afterwards. Times are of this
process: statement, answer and rows as Python has them.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import psutil
from django.db import connection
from rest_framework.test import APIClient

from leadsend.access.models import Membership, Project, Role, User
from leadsend.bench.engine import _publish, _pure
from leadsend.lib import clock, ids
from leadsend.lib.db import partition_statements
from leadsend.lib.postgres import Connection, connect
from leadsend.site.home import in_use
from leadsend.site.vitals import read_vitals
from runtime import claiming
from runtime.models import Execution
from runtime.retention import BATCH, Rule, delete_ended
from triggers.dispatch import dispatch_batch

EXECUTIONS: Final = 100_000
STEPS: Final = 10
WORKFLOWS: Final = 20
DAYS: Final = 30
_PENDING: Final = 2_000
_AT_ONCE: Final = 100_000
_TRIES: Final = 21


def run(*, executions: int = EXECUTIONS) -> dict[str, float]:
    """Return milliseconds by name (medians), and how long the rows took to be made, in seconds."""
    with _project() as (project, user, workflows), connect("bench") as link:
        began = clock.monotonic()
        _fill(link, project, workflows, executions)
        figures: dict[str, float] = {
            "executions": executions,
            "steps": executions * STEPS,
            "filled_s": round(clock.monotonic() - began, 1),
        }
        figures |= _reads(project, user, workflows[0][0])
        figures |= _claims(link, project, workflows)
        figures |= _prune(workflows)
        return figures


def _prune(workflows: list[tuple[UUID, UUID]]) -> dict[str, float]:
    """Delete all that ended, as retention does, and look at memory and at the longest commit."""
    process = psutil.Process()
    before = process.memory_info().rss
    longest_ms, peak, deleted = 0.0, before, 0
    began = clock.monotonic()
    for workflow, _ in workflows:
        rule = Rule(statuses=["SUCCESS", "FAILED"], days=0, workflow=workflow)
        while True:
            since = clock.monotonic()
            count = delete_ended(rule, now=clock.now(), most=BATCH)
            longest_ms = max(longest_ms, (clock.monotonic() - since) * 1000)
            peak = max(peak, process.memory_info().rss)
            if not count:
                break
            deleted += count
    return {
        "pruned_a_second": round(deleted / (clock.monotonic() - began)),
        "prune_longest_batch_ms": round(longest_ms, 1),
        "prune_more_memory_mib": round((peak - before) / 2**20, 1),
    }


def _reads(project: Project, user: User, workflow: UUID) -> dict[str, float]:
    visible = Execution.objects.visible_to(user)
    newest = visible.order_by("-id")
    middle = ids.lowest_at(clock.now() - timedelta(days=DAYS / 2))
    api = APIClient(SERVER_NAME="localhost")
    api.force_authenticate(user)

    def page(query: str) -> Callable[[], Any]:
        return lambda: _ok(api.get(f"/api/v1/executions/?{query}"))

    acts: dict[str, Callable[[], Any]] = {
        "list_ms": lambda: list(newest[:51]),
        "list_half_way_ms": lambda: list(newest.filter(pk__lt=middle)[:51]),
        "list_failed_ms": lambda: list(newest.filter(status__in=["FAILED"])[:51]),
        "list_unfinished_ms": lambda: list(newest.unfinished()[:51]),
        "list_of_workflow_ms": lambda: list(newest.filter(workflow_id=workflow)[:51]),
        "list_by_key_ms": lambda: list(newest.about_prefix("lead4711")[:51]),
        "api_page_ms": page("limit=50"),
        "api_by_key_ms": page("business_key=lead4711@example.com"),
        "counts_24h_ms": lambda: in_use(user),
        "healthz_ms": read_vitals,
    }
    return {name: _median_ms(act) for name, act in acts.items()}


def _ok(answer: Any) -> None:
    if answer.status_code != 200:
        raise AssertionError(answer.content)


def _claims(
    link: Connection, project: Project, workflows: list[tuple[UUID, UUID]]
) -> dict[str, float]:
    link.execute(_INSERT_PENDING, _given(project, workflows, _PENDING))
    worker = ids.uuid7()

    def claim(limit: int) -> Callable[[], Any]:
        return lambda: claiming.claim(link, worker_id=worker, lease_s=60, limit=limit)

    return {
        "claim_1_ms": _median_ms(claim(1)),
        "claim_50_ms": _median_ms(claim(50)),
        "dispatch_nothing_ms": _median_ms(lambda: dispatch_batch(link)),
    }


def _median_ms(act: Callable[[], Any]) -> float:
    times = []
    for _ in range(_TRIES):
        began = clock.monotonic()
        act()
        times.append((clock.monotonic() - began) * 1000)
    return round(statistics.median(times[1:]), 3)


def _fill(
    link: Connection, project: Project, workflows: list[tuple[UUID, UUID]], count: int
) -> None:
    now = clock.now()
    for table in ("workflow_execution", "step_execution"):
        for statement in partition_statements(table, _month_before(now), months=1):
            link.execute(statement.encode())
    for first in range(0, count, _AT_ONCE):
        given = _given(project, workflows, count) | {
            "first": first,
            "last": min(first + _AT_ONCE, count) - 1,
            "start": int((now - timedelta(days=DAYS)).timestamp() * 1000),
            "step_ms": DAYS * 86_400_000 / count,
        }
        link.execute(_INSERT_DONE, given)
    link.execute("VACUUM ANALYZE workflow_execution, step_execution")


def _month_before(now: datetime) -> datetime:
    return now.replace(day=1) - timedelta(days=1)


def _given(project: Project, workflows: list[tuple[UUID, UUID]], count: int) -> dict[str, Any]:
    return {
        "project": project.pk,
        "workflows": [workflow for workflow, _ in workflows],
        "versions": [version for _, version in workflows],
        "kinds": len(workflows),
        "count": count,
        "steps": STEPS,
    }


@contextmanager
def _project() -> Iterator[tuple[Project, User, list[tuple[UUID, UUID]]]]:
    slug = f"stored-{ids.uuid7().hex[-12:]}"
    project = Project.objects.create(name="Benchmark", slug=slug)
    user = User.objects.create_user(f"{slug}@example.com", name="Benchmark")
    Membership.objects.create(project=project, user=user, role=Role.ADMIN)
    try:
        yield project, user, [_publish(project, f"flow-{n}", _pure(1)) for n in range(WORKFLOWS)]
    finally:
        with connect("bench") as link:
            for table in ("step_execution", "workflow_execution"):
                link.execute(f"DELETE FROM {table} WHERE project_id = %s".encode(), [project.pk])
            link.execute("VACUUM workflow_execution, step_execution")
        connection.close()


# Ids of version 7 for made-up moments.
_ID: Final = """(lpad(to_hex({ms}), 12, '0') || '7' || substr(md5(random()::text), 1, 3)
  || right(replace(gen_random_uuid()::text, '-', ''), 16))::uuid"""
_INSERT_DONE: Final = f"""
WITH made AS (
  INSERT INTO workflow_execution (id, project_id, workflow_id, version_id, status, fence,
    context_data, business_key, metrics, error, run_ms, created_at, run_after, started_at, ended_at,
    execution_time)
  SELECT {_ID.format(ms="m.ms")}, %(project)s, (%(workflows)s::uuid[])[1 + n %% %(kinds)s],
         (%(versions)s::uuid[])[1 + n %% %(kinds)s],
         CASE WHEN n %% 50 = 0 THEN 'FAILED' ELSE 'SUCCESS' END, 1,
         jsonb_build_object('email', 'lead' || n || '@example.com', 'name', 'Ada Byron', 'score', n),
         'lead' || n || '@example.com', '{{"steps": 10, "attempts": 10}}',
         CASE WHEN n %% 50 = 0 THEN '{{"code": "http_500", "message": "No."}}'::jsonb END,
         12, m.at, m.at, m.at, m.at + interval '1 second', 12
    FROM generate_series(%(first)s::int, %(last)s::int) AS n
   CROSS JOIN LATERAL (SELECT %(start)s::bigint + (n * %(step_ms)s::float8)::bigint AS ms) AS x
   CROSS JOIN LATERAL (SELECT x.ms, to_timestamp(x.ms / 1000.0) AS at) AS m
  RETURNING id, created_at, status
)
INSERT INTO step_execution (id, project_id, execution_id, step_id, kind, action_key, status,
  input_data, result_data, created_at, started_at, ended_at, execution_time)
SELECT (left(replace(made.id::text, '-', ''), 12) || '7' || substr(md5(random()::text), 1, 3)
         || right(replace(gen_random_uuid()::text, '-', ''), 16))::uuid,
       %(project)s, made.id, 'step_' || s, 'action', 'set_fields',
       CASE WHEN s = %(steps)s THEN made.status ELSE 'SUCCESS' END,
       '{{"fields": [{{"path": "name", "value": "Ada Byron"}}]}}', '{{"name": "Ada Byron"}}',
       made.created_at, made.created_at, made.created_at + interval '1 second', 1
  FROM made CROSS JOIN generate_series(1, %(steps)s) AS s
"""
_INSERT_PENDING: Final = f"""
INSERT INTO workflow_execution (id, project_id, workflow_id, version_id, context_data)
SELECT {_ID.format(ms="(extract(epoch FROM clock_timestamp()) * 1000)::bigint")}, %(project)s,
       (%(workflows)s::uuid[])[1 + n %% %(kinds)s], (%(versions)s::uuid[])[1 + n %% %(kinds)s],
       '{{"email": "ada@example.com"}}'
  FROM generate_series(1, %(count)s) AS n
"""
