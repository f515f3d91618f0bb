"""Looks at everything an installation needs, and says of each that it is well or what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from kombu.exceptions import OperationalError as BrokerError

from credentials import vault
from leadsend.celery import app
from leadsend.lib import clock, ids
from leadsend.lib.errors import LeadSendError, Unavailable
from leadsend.site.vitals import read_vitals
from triggers import db_changes
from triggers.models import ScheduleTrigger, WatchedTable
from workflows import version_storage

CLOCK_TOLERANCE_S = 2.0
BROKER_LIMIT_S = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found out about one part: well, or a sentence that says what to do."""

    part: str
    is_ok: bool
    message: str


def examine() -> Iterator[Finding]:
    """Yield a finding for each part. What is needed first comes first: no database, no more."""
    database = _finding("database", _database)
    yield database
    if not database.is_ok:
        return
    for part, look in _PARTS.items():
        yield _finding(part, look)


class Unwell(Exception):
    """A part is not as it should be; the message says what to do."""


def _finding(part: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(part=part, is_ok=True, message=look())
    except Unwell as problem:
        return Finding(part=part, is_ok=False, message=str(problem))


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('server_version')")
            version = cursor.fetchone()[0]
    except DatabaseError as error:
        raise Unwell(f"Cannot be reached: {error}. Check POSTGRES_* or DATABASE_URL.") from error
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        raise Unwell(f"{len(missing)} migrations are missing: run manage.py migrate.")
    return f"PostgreSQL {version}, all migrations applied"


def _keys() -> str:
    owner = ids.uuid7()
    try:
        sealed = vault.seal("canary", owner_id=owner, field="doctor")
        opened = vault.unseal(sealed, owner_id=owner, field="doctor")
    except LeadSendError as error:
        raise Unwell(f"{error.message} Check FERNET_KEYS.") from error
    if opened != "canary":
        raise Unwell("What was sealed came back changed: check FERNET_KEYS.")
    return "secrets can be sealed and opened"


def _storage() -> str:
    try:
        version_storage.probe()
    except Unavailable as error:
        raise Unwell(error.message) from error
    return "objects can be written, read and deleted"


def _broker() -> str:
    try:
        with app.connection_for_write() as link:
            link.ensure_connection(max_retries=1, timeout=BROKER_LIMIT_S)
    except (BrokerError, OSError) as error:
        raise Unwell(
            f"Cannot be reached ({error}). Work goes on, engines look by themselves once a second; "
            "start it again or check REDIS_URL."
        ) from error
    return "reachable"


def _clock() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        theirs = cursor.fetchone()[0]
    difference_s = (clock.now() - theirs).total_seconds()
    if abs(difference_s) > CLOCK_TOLERANCE_S:
        raise Unwell(
            f"This machine is {difference_s:+.1f} s from the database's clock, which decides: "
            "set up time synchronisation."
        )
    return f"{difference_s * 1000:+.0f} ms from the database's"


def _schedules() -> str:
    late = clock.now() - timedelta(minutes=1)
    count = ScheduleTrigger.objects.filter(is_active=True, next_due_at__lt=late).count()
    if count:
        raise Unwell(f"{count} schedules are overdue by a minute or more: is a worker running?")
    return f"{ScheduleTrigger.objects.filter(is_active=True).count()} on, none overdue"


def _watched_tables() -> str:
    health = db_changes.health()
    if health["waiting"]:
        names = ", ".join(health["waiting"])
        raise Unwell(
            f"Watched without a trigger: {names}. Create them, let LeadSend's database user own "
            "them, or take the watch away (manage.py unwatch_table)."
        )
    if health["is_late"]:
        raise Unwell(
            f"A change waits for {health['oldest_s']:.0f} s to be taken in: is a worker running?"
        )
    return f"{WatchedTable.objects.count()} watched, no change waits"


def _engines() -> str:
    vitals = read_vitals()
    if not vitals.workers:
        raise Unwell("No engine process was seen for a minute: start a worker.")
    if vitals.expired_leases:
        raise Unwell(
            f"{vitals.expired_leases} runs were left by dead processes and not taken over: "
            "see the worker's log, or run manage.py recover_executions."
        )
    return f"{vitals.workers} at work, {vitals.pending} runs could start, {vitals.waiting} wait"


# References into tables by month have no constraint in the database (they would forbid dropping a
# month), so somebody has to look.
_DANGLING = {
    "tasks": "SELECT count(*) FROM tasks t WHERE t.execution_id IS NOT NULL AND NOT EXISTS"
    " (SELECT 1 FROM workflow_execution e WHERE e.id = t.execution_id) AND t.status = 'PENDING'",
    "timers": "SELECT count(*) FROM execution_timer t WHERE NOT EXISTS"
    " (SELECT 1 FROM workflow_execution e WHERE e.id = t.execution_id)",
    "waits": "SELECT count(*) FROM execution_wait w WHERE NOT EXISTS"
    " (SELECT 1 FROM workflow_execution e WHERE e.id = w.execution_id)",
    # The oldest ones, which stand where history is deleted; all would take minutes.
    "step runs": "SELECT count(*) FROM (SELECT execution_id FROM step_execution ORDER BY id"
    " LIMIT 10000) s WHERE NOT EXISTS"
    " (SELECT 1 FROM workflow_execution e WHERE e.id = s.execution_id)",
    "inbox entries": "SELECT count(*) FROM trigger_inbox i WHERE NOT EXISTS"
    " (SELECT 1 FROM trigger_event e WHERE e.id = i.event_id)",
}


def _references() -> str:
    found = []
    with connection.cursor() as cursor:
        for name, query in _DANGLING.items():
            cursor.execute(query)
            count = cursor.fetchone()[0]
            if count:
                found.append(f"{count} {name}")
    if found:
        raise Unwell(f"Without the run or event they name: {', '.join(found)}. Report this.")
    return "nothing names a row that is gone"


_PARTS: dict[str, Callable[[], str]] = {
    "keys": _keys,
    "storage": _storage,
    "broker": _broker,
    "clock": _clock,
    "schedules": _schedules,
    "watched tables": _watched_tables,
    "engines": _engines,
    "references": _references,
}
