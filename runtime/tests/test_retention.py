from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.models import Count
from django_celery_beat.models import PeriodicTask

from leadsend.lib import clock, ids
from leadsend.lib.db import partition_name
from runtime import jobs, retention
from runtime.models import (
    BulkItem,
    BulkJob,
    Execution,
    ExecutionTimer,
    OutboxMail,
    StepExecution,
    Task,
)
from runtime.retention import PARTITIONED
from runtime.tests.conftest import DOCUMENT
from workflows import drafts, publishing

pytestmark = pytest.mark.django_db

OLD = datetime(2020, 3, 1, tzinfo=UTC)


def partitions():
    return set(retention._partitions())


def run_sql(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def ended(make):
    """Makes runs that ended some days ago, with a step each."""

    def run(status, days):
        at = clock.now() - timedelta(days=days)
        execution = make(
            status,
            id=ids.uuid7(int(at.timestamp() * 1000) - 1000),
            started_at=at,
            ended_at=at if status != "WAITING" else None,
        )
        make.step(execution, "first")
        return execution

    return run


@pytest.fixture
def old_month():
    """Partitions of March 2020 for every table."""
    for table in PARTITIONED:
        run_sql(
            f'CREATE TABLE "{partition_name(table, OLD)}" PARTITION OF "{table}" FOR VALUES'
            f" FROM ('{ids.lowest_at(OLD)}') TO ('{ids.lowest_at(datetime(2020, 4, 1, tzinfo=UTC))}')"
        )
    return {partition_name(table, OLD) for table in PARTITIONED}


def test_what_ended_well_goes_after_30_days_and_what_failed_after_90(ended):
    kept = [ended("SUCCESS", 29), ended("FAILED", 89), ended("TIMED_OUT", 31)]
    gone = [ended("SUCCESS", 31), ended("CANCELLED", 31), ended("FAILED", 91)]

    pruned = retention.prune()

    assert pruned.executions == len(gone)
    assert set(Execution.objects.values_list("pk", flat=True)) == {run.pk for run in kept}
    assert set(StepExecution.objects.values_list("execution_id", flat=True)) == {
        run.pk for run in kept
    }
    assert retention.prune().executions == 0


def test_a_workflow_may_say_how_long_its_runs_are_kept(ended, workflow):
    document = {**DOCUMENT, "settings": {"retention": {"done_days": 3}}}
    other = drafts.create_workflow(workflow.project, workflow.owner, document)
    publishing.publish(other, user=workflow.owner)
    other.refresh_from_db()
    short, usual = ended("SUCCESS", 4), ended("SUCCESS", 4)
    Execution.objects.filter(pk=short.pk).update(workflow=other)
    failed = ended("FAILED", 80)
    Execution.objects.filter(pk=failed.pk).update(workflow=other)

    assert retention.prune().executions == 1
    assert set(Execution.objects.all()) == {usual, failed}


def test_nothing_that_names_a_run_is_left_behind(ended, old_month):
    run, waiting = ended("SUCCESS", 31), ended("WAITING", 400)
    for status in ("PENDING", "DONE"):
        Task.objects.create(
            project_id=run.project_id, title=status, status=status, execution_id=run.pk
        )
    for one in (run, waiting):
        ExecutionTimer.objects.create(execution=one, due_at=clock.now())
    mail = {"project_id": run.project_id, "mode": "outbox", "sender": "a", "to": "b"}
    for days in (89, 91):
        at = int((clock.now() - timedelta(days=days)).timestamp() * 1000)
        OutboxMail.objects.create(id=ids.uuid7(at), message_id=f"<{days}@x>", subject="", **mail)

    pruned = retention.prune()

    assert (pruned.executions, pruned.mails) == (1, 1)
    assert [(task.title, task.execution_id) for task in Task.objects.all()] == [("PENDING", None)]
    assert [timer.execution_id for timer in ExecutionTimer.objects.all()] == [waiting.pk]


def test_ended_bulk_jobs_go_with_their_items_and_others_stay(make, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    project, now = make("SUCCESS").project_id, clock.now()
    for status, days in (("DONE", 91), ("CANCELLED", 91), ("DONE", 89), ("RUNNING", 91)):
        at = now - timedelta(days=days)
        ended_at = None if status == "RUNNING" else at
        given = {"project_id": project, "act": "retry", "per_second": 1, "status": status}
        job = BulkJob.objects.create(ended_at=ended_at, **given)
        BulkItem.objects.bulk_create(
            BulkItem(job=job, execution_id=ids.uuid7(), status="DONE") for _ in range(3)
        )

    retention.prune()

    left = BulkJob.objects.annotate(count=Count("items")).values_list("status", "count")
    assert sorted(left) == [("DONE", 3), ("RUNNING", 3)]
    assert BulkItem.objects.count() == 6


def test_a_task_of_a_dropped_month_no_longer_leads_to_its_run(old_month, make):
    at = OLD + timedelta(days=1)
    run = make("SUCCESS", id=ids.uuid7(int(at.timestamp() * 1000)), started_at=at, ended_at=at)
    task = Task.objects.create(project_id=run.project_id, title="Call", execution_id=run.pk)
    run_sql("SET CONSTRAINTS ALL IMMEDIATE")

    assert retention.prune().months
    task.refresh_from_db()
    assert task.execution_id is None


def test_what_has_not_ended_is_kept_however_old(ended):
    waiting = ended("WAITING", 400)

    assert retention.prune().executions == 0
    assert Execution.objects.get() == waiting


def test_batches_go_on_where_the_last_one_ended(ended, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    for _ in range(5):
        ended("SUCCESS", 31)
        ended("SUCCESS", 3)

    assert retention.prune(most=3).executions == 3
    assert retention.prune().executions == 2
    assert Execution.objects.count() == StepExecution.objects.count() == 5


def test_a_month_that_nobody_wants_is_dropped_steps_first(old_month):
    dropped = retention.drop_months(before=clock.now() - timedelta(days=90))

    assert dropped == [partition_name(table, OLD) for table in PARTITIONED]
    assert not old_month & partitions()
    assert retention.drop_months(before=clock.now() - timedelta(days=90)) == []


def test_a_month_with_a_run_that_waits_stays_whole(old_month, make):
    waiting = make("WAITING", id=ids.uuid7(int(OLD.timestamp() * 1000)))
    make.step(waiting, "first")

    assert retention.prune().months == ()
    assert old_month <= partitions()
    assert StepExecution.objects.of_execution(waiting.pk).count() == 1


def test_months_of_the_last_90_days_stay():
    before = partitions()

    assert retention.drop_months(before=clock.now() - timedelta(days=90)) == []
    assert partitions() == before


def test_missing_partitions_are_made_once():
    month = partition_name("step_execution", clock.now() + timedelta(days=60))
    retention.ensure_partitions()
    run_sql(f'DROP TABLE "{month}"')

    assert retention.ensure_partitions() == [month]
    assert retention.ensure_partitions() == []


def test_a_month_whose_rows_lie_in_the_default_partition_is_left_there(make):
    retention.ensure_partitions()
    ahead = clock.now() + timedelta(days=60)
    month = partition_name("workflow_execution", ahead)
    run_sql(f'DROP TABLE "{month}"')
    run = make("PENDING", id=ids.uuid7(int(ahead.timestamp() * 1000)))
    run_sql("SET CONSTRAINTS ALL IMMEDIATE")  # an ALTER waits for no pending trigger

    assert retention.ensure_partitions() == []
    assert Execution.objects.get(pk=run.pk).status == "PENDING"


def test_the_command_says_what_it_did(ended, old_month):
    ended("SUCCESS", 31)
    said = StringIO()

    call_command("prune_executions", stdout=said)

    assert f"dropped {partition_name('step_execution', OLD)}" in said.getvalue()
    assert "Deleted 1 runs, 0 mails, 0 large values." in said.getvalue()


def test_beat_asks_for_it_once_a_day():
    schedule = import_module("runtime.migrations.0004_daily_prune").schedule
    schedule(apps)
    schedule(apps)

    row = PeriodicTask.objects.get(task=jobs.prune.name)
    assert (row.crontab.hour, row.enabled) == ("3", True)


def test_the_job_makes_partitions_and_prunes(ended):
    ended("SUCCESS", 31)
    month = partition_name("step_execution", clock.now() + timedelta(days=60))
    retention.ensure_partitions()
    run_sql(f'DROP TABLE "{month}"')

    jobs.prune()

    assert month in partitions()
    assert not Execution.objects.exists()
