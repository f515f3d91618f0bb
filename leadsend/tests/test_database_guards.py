"""The promises that the database keeps whoever writes: each is attacked by raw SQL."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from leadsend.access import audit
from leadsend.access.models import Membership, Project, Role, User
from leadsend.lib import clock, ids
from leadsend.lib.db import partition_name, partition_statements
from runtime.models import FINAL_EXECUTION, FINAL_STEP, Execution, ExecutionStatus, StepStatus
from triggers.models import EventKey, ScheduleTrigger, Subscription
from workflows import drafts, publishing

pytestmark = pytest.mark.django_db

DOCUMENT = {
    "name": "Welcome",
    "triggers": ["manual"],
    "steps": [
        {"id": step, "kind": "action", "action_key": "set_fields", "cfg": {
            "fields": [{"path": "seen", "value": True}], "keep": "none",
        }}
        for step in ("first", "second")
    ],
}  # fmt: skip

# Table → the columns that the overview document names, or implies by what it stores there.
TABLES = {
    "workflow_definition": "id name description category tags is_active",
    "workflow_version": "id workflow_id version_num s3_key",
    "workflow_step": "id version_id kind action_key cfg",
    "workflow_edge": "id from_step_id to_step_id branch_key",
    "workflow_variable": "id workflow_id key value",
    "workflow_subscription": "id workflow_id trigger_key filter_conditions",
    "webhook_endpoint": "id workflow_id",
    "schedule_trigger": "id workflow_id cron",
    "workflow_action_registry": "id key",
    "workflow_trigger_registry": "id key",
    "credential_type": "id key",
    "user_credentials": "id",
    "workflow_execution": "id workflow_id version_id trigger_event_id trigger_type status "
    "context_data started_at ended_at execution_time metrics",
    "step_execution": "id step_id status started_at ended_at result_data execution_time error",
    "tasks": "id title description status",
}
VIEWS = {
    "workflow_run": "id run_id workflow_id version_id trigger_event_id trigger_type status "
    "context_data started_at ended_at execution_time",
    "step_run": "id run_id step_id status started_at ended_at result_data execution_time",
    "workflow_latest_json": "workflow_id definition",
}
EXECUTION_ATTACKS = [pair for pair in product(FINAL_EXECUTION, ExecutionStatus.values)
                     if pair[0] != pair[1]]  # fmt: skip
STEP_ATTACKS = [pair for pair in product(FINAL_STEP, StepStatus.values) if pair[0] != pair[1]]


def run(sql, *parameters):
    """Run a statement with all constraints checked at once; return the rows it touched."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(sql, parameters)
        return cursor.rowcount


def rows(sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def columns_of(relation):
    sql = "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
    return {row[0] for row in rows(sql, relation)}


@pytest.fixture
def project(db):
    return Project.objects.create(name="Sales", slug="sales")


@pytest.fixture
def dev(project):
    user = User.objects.create_user("dev@example.org")
    Membership.objects.create(project=project, user=user, role=Role.ADMIN)
    return user


@pytest.fixture
def workflow(project, dev):
    workflow = drafts.create_workflow(project, dev, DOCUMENT)
    publishing.publish(workflow, user=dev)
    workflow.refresh_from_db()
    return workflow


@pytest.fixture
def insert_execution(workflow):
    """Inserts an execution as the hot path does, by plain SQL; returns its id."""

    def insert(status="PENDING", *, id=None, ended=None):
        ends = status in FINAL_EXECUTION if ended is None else ended
        identifier = id or ids.uuid7()
        run(
            "INSERT INTO workflow_execution (id, project_id, workflow_id, version_id, status,"
            " ended_at) VALUES (%s, %s, %s, %s, %s, %s)",
            identifier, workflow.project_id, workflow.pk, workflow.live_version_id, status,
            clock.now() if ends else None,
        )  # fmt: skip
        return identifier

    return insert


@pytest.fixture
def insert_step(insert_execution):
    def insert(status, *, attempt=1):
        execution = Execution.objects.get(pk=insert_execution())
        identifier = ids.step_row_id(execution.pk, "first", None, 1)
        run(
            "INSERT INTO step_execution (id, project_id, execution_id, step_id, kind, status,"
            " attempt) VALUES (%s, %s, %s, 'first', 'action', %s, %s)",
            identifier, execution.project_id, execution.pk, status, attempt,
        )  # fmt: skip
        return identifier

    return insert


# --- Versions are frozen ------------------------------------------------------------------------
@pytest.mark.parametrize(
    "change",
    ["document = '{}'", "content_hash = 'x'", "version_num = 2", "s3_key = ''", "note = 'x'",
     "published_at = now()", "published_by_id = NULL", "id = gen_random_uuid()", "document = document"],
)  # fmt: skip
def test_a_version_cannot_be_updated(workflow, change):
    with pytest.raises(IntegrityError, match="cannot be changed or deleted"):
        run(f"UPDATE workflow_version SET {change} WHERE id = %s", workflow.live_version_id)  # noqa: S608 - constants of this test


def test_a_version_cannot_be_deleted(workflow):
    with pytest.raises(IntegrityError, match="cannot be changed or deleted"):
        run("DELETE FROM workflow_version WHERE id = %s", workflow.live_version_id)


def test_a_version_number_is_used_once(workflow):
    with pytest.raises(IntegrityError, match="workflow_version_once"):
        run(
            "INSERT INTO workflow_version (id, project_id, workflow_id, version_num, s3_key,"
            " document, content_hash, note, published_at)"
            " SELECT gen_random_uuid(), project_id, workflow_id, version_num, '', '', '', '', now()"
            " FROM workflow_version"
        )


# --- Final states stay --------------------------------------------------------------------------
def test_there_are_at_least_fifty_attempts_to_leave_a_final_state():
    assert len(EXECUTION_ATTACKS) + len(STEP_ATTACKS) >= 50


@pytest.mark.parametrize(("final", "wanted"), EXECUTION_ATTACKS)
def test_an_execution_cannot_leave_a_final_state(insert_execution, final, wanted):
    execution = insert_execution(final)
    ended = ", ended_at = NULL" if wanted not in FINAL_EXECUTION else ""

    with pytest.raises(IntegrityError, match=f"is {final} and cannot become {wanted}"):
        run(f"UPDATE workflow_execution SET status = %s{ended} WHERE id = %s", wanted, execution)  # noqa: S608 - constants of this test


@pytest.mark.parametrize(("final", "wanted"), STEP_ATTACKS)
def test_a_step_cannot_leave_a_final_state(insert_step, final, wanted):
    step = insert_step(final)

    with pytest.raises(IntegrityError, match=f"is {final} and cannot become {wanted}"):
        run("UPDATE step_execution SET status = %s WHERE id = %s", wanted, step)


def test_the_guard_holds_for_who_writes_to_the_partition_itself(insert_execution):
    execution = insert_execution("SUCCESS")
    [[partition]] = rows("SELECT tableoid::regclass FROM workflow_execution WHERE id=%s", execution)

    with pytest.raises(IntegrityError, match="cannot become"):
        run(f"UPDATE {partition} SET status = 'FAILED' WHERE id = %s", execution)  # noqa: S608 - constants of this test


def test_what_is_final_may_still_be_annotated(insert_execution):
    execution = insert_execution("SUCCESS")

    assert run("UPDATE workflow_execution SET metrics = '{}' WHERE id = %s", execution) == 1


# --- Statuses and ends are known ------------------------------------------------------------------
@pytest.mark.parametrize("status", ["DONE", "success", "", "RUNNING ", "UNCERTAIN"])
def test_an_execution_has_a_known_status(insert_execution, status):
    with pytest.raises(IntegrityError, match=r"execution_(status_known|ended_iff_final)"):
        insert_execution(status)


@pytest.mark.parametrize("status", ["PAUSED", "done", "", "SUCCESS "])
def test_a_step_has_a_known_status(insert_step, status):
    with pytest.raises(IntegrityError, match="step_status_known"):
        insert_step(status)


@pytest.mark.parametrize("status", ExecutionStatus.values)
def test_an_execution_has_an_end_if_and_only_if_it_is_final(insert_execution, status):
    with pytest.raises(IntegrityError, match="execution_ended_iff_final"):
        insert_execution(status, ended=status not in FINAL_EXECUTION)


@pytest.mark.parametrize("attempt", [0, -1])
def test_attempts_count_from_one(insert_step, attempt):
    with pytest.raises(IntegrityError, match="step_attempt_from_1"):
        insert_step("SUCCESS", attempt=attempt)


@pytest.mark.parametrize("status", ["OPEN", "SUCCESS", ""])
def test_a_task_has_a_known_status(project, status):
    sql = """INSERT INTO tasks (id, project_id, title, description, status, priority, step_id,
               business_key, created_at, updated_at)
             VALUES (gen_random_uuid(), %s, 'x', '', %s, 'normal', '', '', now(), now())"""
    with pytest.raises(IntegrityError, match="task_status_known"):
        run(sql, project.pk, status)


def test_a_member_has_a_known_role(dev):
    with pytest.raises(IntegrityError, match="membership_role_known"):
        run("UPDATE membership SET role = 'owner'")


def test_a_secret_variable_has_no_open_value(workflow):
    sql = """INSERT INTO workflow_variable (id, project_id, workflow_id, key, type, value,
               is_secret, sealed, updated_at)
             VALUES (gen_random_uuid(), %s, %s, 'k', 'text', '"open"', true, '', now())"""
    with pytest.raises(IntegrityError, match="secret_variable_has_no_open_value"):
        run(sql, workflow.project_id, workflow.pk)


# --- Once means once ------------------------------------------------------------------------------
def test_an_event_starts_a_subscription_once_a_replay(insert_execution):
    event, subscription = ids.uuid7(), uuid4()
    first = insert_execution(id=ids.execution_id(event, subscription, 0))

    with pytest.raises(IntegrityError, match="pkey"):
        insert_execution(id=ids.execution_id(event, subscription, 0))

    assert insert_execution(id=ids.execution_id(event, subscription, 1)) != first


def test_the_same_start_a_second_time_inserts_nothing(insert_execution, workflow):
    identifier = insert_execution("SUCCESS")

    sql = """INSERT INTO workflow_execution (id, project_id, workflow_id, version_id)
             VALUES (%s, %s, %s, %s) ON CONFLICT (id) DO NOTHING"""
    values = (identifier, workflow.project_id, workflow.pk, workflow.live_version_id)
    assert run(sql, *values) == 0
    assert Execution.objects.get().status == "SUCCESS"


def test_an_attempt_of_a_step_has_one_row(insert_step):
    step = insert_step("RUNNING")

    with pytest.raises(IntegrityError, match="pkey"):
        run(
            "INSERT INTO step_execution (id, project_id, execution_id, step_id, kind, status)"
            " SELECT id, project_id, execution_id, step_id, kind, 'SUCCESS' FROM step_execution"
            " WHERE id = %s",
            step,
        )


def test_an_event_key_is_used_once_in_its_source(project):
    sql = """INSERT INTO event_key (id, project_id, source, key, event_id)
             VALUES (gen_random_uuid(), %s, %s, 'k', gen_random_uuid())"""
    run(sql, project.pk, "webhook:a")
    run(sql, project.pk, "webhook:b")

    with pytest.raises(IntegrityError, match="event_key_once"):
        run(sql, project.pk, "webhook:a")
    assert EventKey.objects.count() == 2


@pytest.fixture
def schedule(workflow):
    return ScheduleTrigger.objects.create(
        project_id=workflow.project_id, workflow=workflow, trigger_id="t1", cron="0 9 * * *"
    )


def test_a_tick_fires_once(schedule):
    sql = """INSERT INTO schedule_tick (id, project_id, schedule_id, tick_at, skipped_because)
             VALUES (gen_random_uuid(), %s, %s, %s, '')"""
    tick_at = clock.now().replace(microsecond=0)
    run(sql, schedule.project_id, schedule.pk, tick_at)
    run(sql, schedule.project_id, schedule.pk, tick_at + timedelta(minutes=1))

    with pytest.raises(IntegrityError, match="schedule_tick_once"):
        run(sql, schedule.project_id, schedule.pk, tick_at)


def test_an_effect_makes_one_task(project):
    sql = """INSERT INTO tasks (id, project_id, title, description, status, priority, step_id,
               business_key, effect_key, created_at, updated_at)
             VALUES (gen_random_uuid(), %s, 'x', '', 'PENDING', 'normal', '', '', %s, now(), now())"""
    key = uuid4()
    run(sql, project.pk, key)

    with pytest.raises(IntegrityError, match="effect_key"):
        run(sql, project.pk, key)


# --- What is referred to stays --------------------------------------------------------------------
def test_rows_that_are_referred_to_cannot_be_deleted(workflow, dev, schedule, insert_execution):
    insert_execution()
    audit.record("test", actor=dev, project=workflow.project, obj=workflow)
    Subscription.objects.create(
        project_id=workflow.project_id, workflow=workflow, trigger_id="t", trigger_key="manual",
        source="manual:x",
    )  # fmt: skip
    run(
        "INSERT INTO schedule_tick (id, project_id, schedule_id, tick_at, skipped_because)"
        " VALUES (gen_random_uuid(), %s, %s, now(), '')",
        schedule.project_id, schedule.pk,
    )  # fmt: skip

    for table, row in (
        ("project", workflow.project_id),
        ("access_user", dev.pk),
        ("workflow_definition", workflow.pk),
        ("workflow_version", workflow.live_version_id),
        ("workflow_step", workflow.live_version.steps.first().pk),
        ("schedule_trigger", schedule.pk),
    ):
        with pytest.raises(IntegrityError):
            run(f"DELETE FROM {table} WHERE id = %s", row)  # noqa: S608 - constants of this test


def test_an_execution_names_a_version_that_exists(workflow):
    with pytest.raises(IntegrityError, match="version_id"):
        run(
            "INSERT INTO workflow_execution (id, project_id, workflow_id, version_id)"
            " VALUES (%s, %s, %s, %s)",
            ids.uuid7(), workflow.project_id, workflow.pk, uuid4(),
        )  # fmt: skip


# --- The audit log only grows ---------------------------------------------------------------------
@pytest.mark.parametrize(
    "attack",
    ["UPDATE audit_entry SET act = 'x'", "UPDATE audit_entry SET hash = ''",
     "UPDATE audit_entry SET actor_label = actor_label", "DELETE FROM audit_entry"],
)  # fmt: skip
def test_an_audit_entry_cannot_be_changed_or_deleted(project, dev, attack):
    audit.record("test", actor=dev, project=project, obj=project)

    with pytest.raises(IntegrityError, match="the audit log only grows"):
        run(attack)


def test_an_audit_number_is_used_once(project, dev):
    audit.record("test", actor=dev, project=project, obj=project)

    with pytest.raises(IntegrityError, match="number"):
        run(
            "INSERT INTO audit_entry (id, actor_label, act, object_type, object_id, detail,"
            " address, at, number, previous_hash, hash) SELECT gen_random_uuid(), '', '', '', '',"
            " '{}', '', now(), number, '', '' FROM audit_entry LIMIT 1"
        )


# --- Names of the overview document ---------------------------------------------------------------
def test_there_are_fifteen_tables_of_the_overview_document():
    assert len(TABLES) == 15


@pytest.mark.parametrize(("relation", "names"), [*TABLES.items(), *VIEWS.items()])
def test_tables_and_views_have_the_names_of_the_overview_document(relation, names):
    assert columns_of(relation) >= set(names.split())


def test_the_views_of_runs_show_the_rows_of_the_tables(insert_step):
    step = insert_step("SUCCESS")

    [[run_id, status, view_status]] = rows(
        "SELECT s.run_id, s.status, r.status FROM step_run s JOIN workflow_run r"
        " ON r.run_id = s.run_id WHERE s.id = %s",
        step,
    )
    assert (run_id, status, view_status) == (Execution.objects.get().pk, "SUCCESS", "PENDING")


def test_the_view_of_definitions_is_the_live_document_byte_for_byte(workflow):
    [[text]] = rows(
        "SELECT definition::text FROM workflow_latest_json WHERE workflow_id = %s", workflow.pk
    )
    assert text == workflow.live_version.document


# --- History by month -----------------------------------------------------------------------------
@pytest.mark.parametrize("table", ["step_execution", "workflow_execution", "trigger_event"])
def test_partitions_exist_three_months_ahead_and_one_for_the_rest(table):
    for statement in partition_statements(table, clock.now()):
        run(statement)  # a test database may be older than this month

    existing = {row[0] for row in rows(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", table
    )}  # fmt: skip
    first = clock.now().replace(day=15)
    ahead = {partition_name(table, first + timedelta(days=30 * number)) for number in range(4)}
    assert ahead | {f"{table}_default"} <= existing


def test_a_row_lands_in_the_partition_of_its_ids_month(insert_execution):
    execution = insert_execution()

    [[partition]] = rows(
        "SELECT tableoid::regclass::text FROM workflow_execution WHERE id = %s", execution
    )
    assert partition == partition_name("workflow_execution", ids.time_of(execution))
