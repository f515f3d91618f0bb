"""Each part is well, or the finding says what to do."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from credentials import vault
from leadsend.celery import app
from leadsend.lib import clock, ids
from leadsend.lib.errors import ConfigurationError, Unavailable
from leadsend.site import doctor
from leadsend.testing.factories import make_execution, make_workflow
from runtime.models import ExecutionTimer, Worker
from triggers.models import ScheduleTrigger, TableChange, WatchedTable
from workflows import version_storage

pytestmark = pytest.mark.django_db


@pytest.fixture
def engine():
    return Worker.objects.create(host="host", pid=1)


def finding(part):
    return {found.part: found for found in doctor.examine()}[part]


def raising(error):
    def act(*_arguments, **_options):
        raise error

    return act


def test_a_well_installation_has_nothing_to_do(engine):
    findings = list(doctor.examine())

    assert [found.message for found in findings if not found.is_ok] == []
    assert [found.part for found in findings] == ["database", *doctor._PARTS]


def test_without_a_database_nothing_else_is_looked_at(monkeypatch):
    monkeypatch.setattr(connection, "cursor", raising(OperationalError("connection refused")))

    [found] = doctor.examine()

    assert (found.part, found.is_ok) == ("database", False)
    assert "POSTGRES_*" in found.message


def test_missing_migrations_are_found(monkeypatch):
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *_: [1, 2])

    [found] = doctor.examine()

    assert found.message == "2 migrations are missing: run manage.py migrate."


def test_a_missing_key_is_found(monkeypatch):
    monkeypatch.setattr(vault, "unseal", raising(ConfigurationError("The key k1 is missing.")))

    assert "FERNET_KEYS" in finding("keys").message


def test_storage_that_is_away_is_found(monkeypatch):
    monkeypatch.setattr(version_storage, "probe", raising(Unavailable("Storage is away.")))

    assert finding("storage").message == "Storage is away."


def test_a_broker_that_is_away_is_found(monkeypatch):
    monkeypatch.setattr(app, "connection_for_write", raising(OSError("refused")))

    found = finding("broker")

    assert not found.is_ok
    assert "Work goes on" in found.message


def test_a_wrong_clock_is_found(monkeypatch):
    later = _database_now() + timedelta(minutes=3)
    monkeypatch.setattr(clock, "now", lambda: later)

    assert "set up time synchronisation" in finding("clock").message


def test_overdue_schedules_are_found():
    workflow = make_workflow()
    ScheduleTrigger.objects.create(
        project_id=workflow.project_id, workflow=workflow, trigger_id="s", cron="0 9 * * *",
        next_due_at=clock.now() - timedelta(minutes=2),
    )  # fmt: skip

    assert finding("schedules").message.startswith("1 schedules are overdue")


def test_a_watched_table_that_is_not_there_is_found():
    workflow = make_workflow()
    WatchedTable.objects.create(project_id=workflow.project_id, table_name="not_there")

    assert "not_there" in finding("watched tables").message


def test_changes_that_nobody_takes_in_are_found():
    TableChange.objects.create(
        schema_name="public", table_name="leads", op="insert",
        changed_at=clock.now() - timedelta(minutes=5),
    )  # fmt: skip

    assert "A change waits for 30" in finding("watched tables").message


def test_no_engine_is_found():
    assert "start a worker" in finding("engines").message


def test_runs_left_by_dead_processes_are_found(engine):
    make_execution(
        status="RUNNING", fence=1, worker_id=ids.uuid7(),
        lease_until=clock.now() - timedelta(minutes=1),
    )  # fmt: skip

    assert "1 runs were left by dead processes" in finding("engines").message


def test_rows_that_name_a_run_that_is_gone_are_found():
    ExecutionTimer.objects.create(execution_id=ids.uuid7(), due_at=clock.now())

    assert "1 timers" in finding("references").message


def test_the_command_ends_with_1_when_something_is_to_be_done():
    out = StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("doctor", stdout=out)

    assert ended.value.code == 1
    assert "TO DO engines: No engine process" in out.getvalue()
    assert "OK    database: PostgreSQL" in out.getvalue()


def _database_now():
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]
