"""How many executions a second one engine process carries, beside the bare writes they cost.

Works in the configured database, in a project of its own that it removes again. The reference
makes the same rows with the same number of commits by plain psycopg: claim and final status by
UPDATE, steps by COPY, in batches of 100, with nothing decided in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

from psycopg import sql

from leadsend.access.models import Project, Team
from leadsend.lib import clock, ids
from leadsend.lib.postgres import Connection, connect
from runtime.draining import Engine, Options, run_until_idle
from workflows.definition.canonical import content_hash, dump
from workflows.models import Workflow, WorkflowVersion

EXECUTIONS: Final = 2000
_BATCH: Final = 100
_EVENT: Final = '{"email": "ada@example.org", "name": "Ada Byron", "score": 60}'
_TABLES: Final = ("tasks", "outbox_mail", "step_execution", "workflow_execution")


def run(*, executions: int = EXECUTIONS) -> dict[str, float]:
    """Return executions a second by name, ``reference_…`` and ``ratio_…`` (ours by reference)."""
    figures: dict[str, float] = {}
    with _project() as project, connect("bench") as connection:
        flows = {"pure_1": _pure(1), "pure_10": _pure(10), "mail_and_task": _overview()}
        for name, steps in flows.items():
            workflow, version = _publish(project, name, steps)
            # The first run of a process compiles the grammar of expressions and the templates.
            _insert(connection, project, workflow, version, _BATCH)
            _drain()
            _insert(connection, project, workflow, version, executions)
            figures[name] = executions / _time(_drain)
            rows = _insert(connection, project, workflow, version, executions)
            bare = partial(_write_bare, connection, project, rows, len(steps))
            figures[f"reference_{name}"] = executions / _time(bare)
            figures[f"ratio_{name}"] = figures[name] / figures[f"reference_{name}"]
    return figures


def _drain() -> None:
    engine = Engine(Options())
    try:
        run_until_idle(engine, most_passes=1_000_000)
    finally:
        engine.close()


def _write_bare(
    connection: Connection, project: Project, rows: list[UUID], steps_each: int
) -> None:
    for first in range(0, len(rows), _BATCH):
        chosen = rows[first : first + _BATCH]
        connection.execute(_CLAIM, [chosen])
        with connection.transaction():
            connection.execute(_FINISH, [chosen])
            with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
                for row in chosen:
                    for number in range(steps_each):
                        copy.write_row(_step_row(project, row, f"s{number}"))


def _step_row(project: Project, execution: UUID, step: str) -> tuple[Any, ...]:
    key = ids.step_row_id(execution, step, None, 1)
    now = clock.now()
    fields = '{"fields":[{"path":"name","value":"Ada Byron"}]}'
    answer = '{"name":"Ada Byron"}'
    return (
        key, project.pk, execution, step, "action", "set_fields", "SUCCESS", fields, answer, now, now
    )  # fmt: skip


def _pure(count: int) -> list[dict[str, Any]]:
    fields = [{"path": "name", "value": "{{ event.name }}"}]
    return [_action(f"s{n}", "set_fields", {"fields": fields}) for n in range(count)]


def _overview() -> list[dict[str, Any]]:
    mail = _action("welcome", "email_send", {"template": "welcome"})
    return [mail, _action("follow_up", "task_create", {"assignee": "bench_team"})]


def _action(step_id: str, key: str, cfg: dict[str, Any]) -> dict[str, Any]:
    return {"id": step_id, "kind": "action", "action_key": key, "cfg": cfg}


def _publish(project: Project, name: str, steps: list[dict[str, Any]]) -> tuple[UUID, UUID]:
    edges = [{"from": a["id"], "to": b["id"], "branch_key": "default"} for a, b in pairwise(steps)]
    document = {"format": 1, "name": name, "steps": steps, "edges": edges}
    workflow = Workflow.objects.create(project=project, name=name, slug=name, draft="{}")
    version = WorkflowVersion.objects.create(
        workflow=workflow,
        project=project,
        version_num=1,
        s3_key="",
        document=dump(document).decode(),
        content_hash=content_hash(document),
    )
    return workflow.pk, version.pk


def _insert(
    connection: Connection, project: Project, workflow: UUID, version: UUID, count: int
) -> list[UUID]:
    rows = [ids.uuid7() for _ in range(count)]
    with connection.cursor() as cursor, cursor.copy(_COPY_PENDING) as copy:
        for row in rows:
            copy.write_row((row, project.pk, workflow, version, _EVENT))
    return rows


def _time(act: Callable[[], None]) -> float:
    began = clock.monotonic()
    act()
    return clock.monotonic() - began


@contextmanager
def _project() -> Iterator[Project]:
    slug = f"bench-{ids.uuid7().hex[-12:]}"
    project = Project.objects.create(name="Benchmark", slug=slug)
    Team.objects.create(project=project, key="bench_team", name="Benchmark")
    try:
        yield project
    finally:
        with connect("bench") as connection:
            for table in _TABLES:
                statement = sql.SQL("DELETE FROM {} WHERE project_id = %s")
                connection.execute(statement.format(sql.Identifier(table)), [project.pk])


_CLAIM: Final = """
UPDATE workflow_execution SET status = 'RUNNING', fence = 1, lease_until = now(),
  claimed_at = now(), started_at = now() WHERE id = ANY(%s)
"""
_FINISH: Final = """
UPDATE workflow_execution SET status = 'SUCCESS', lease_until = NULL, ended_at = now(),
  execution_time = 1, metrics = '{"steps": 1}' WHERE id = ANY(%s)
"""
_COPY: Final = (
    "COPY step_execution (id, project_id, execution_id, step_id, kind, action_key, status, "
    "input_data, result_data, started_at, ended_at) FROM STDIN"
)
_COPY_PENDING: Final = (
    "COPY workflow_execution (id, project_id, workflow_id, version_id, context_data) FROM STDIN"
)
