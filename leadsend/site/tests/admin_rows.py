"""A row of every table, for the tests of the admin."""

from __future__ import annotations

from datetime import date, timedelta

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from leadsend.access import audit, tokens
from leadsend.access.models import (
    BusinessCalendar,
    Holiday,
    Organisation,
    Role,
    SignInTry,
    Team,
)
from leadsend.lib import clock, ids
from leadsend.testing.factories import (
    make_credential,
    make_event,
    make_execution,
    make_project,
    make_step,
    make_subscription,
    make_task,
    make_user,
    make_workflow,
)
from runtime.models import (
    BulkItem,
    BulkJob,
    Circuit,
    ConcurrencyTurn,
    ExecutionBatch,
    ExecutionTimer,
    ExecutionWait,
    OutboxMail,
    RateLimit,
    WebhookAnswer,
    Worker,
)
from triggers.models import (
    EventKey,
    HostedForm,
    InboxEntry,
    ReplayJob,
    ScheduleTick,
    ScheduleTrigger,
    TableChange,
    WatchedTable,
    WebhookEndpoint,
    WebhookRefusal,
)
from workflows.models import DraftChange, WorkflowTemplate, WorkflowVariable


def make_project_rows(project=None, *, text="Lea"):
    """Make rows of every table that has a project; return the project. ``text`` is in all of them."""
    project = project or make_project(name=f"{text} project"[:200])
    admin = make_user(project=project, role=Role.ADMIN, name=text[:200])
    Team.objects.create(project=project, key=f"team-{project.slug}", name=text[:200])
    steps = ["set_fields", "set_fields"]
    workflow = make_workflow(
        project=project, user=admin, steps=steps, name=text[:200], published=True
    )
    WorkflowVariable.objects.create(project=project, workflow=workflow, key="limit", value=text)
    DraftChange.objects.create(project=project, workflow=workflow, revision=99, summary=[text])
    _started(project, workflow, text)
    _ran(project, workflow, admin, text)
    make_credential(project=project, owner=admin, name=text[:200])
    tokens.create_token(user=admin, project=project, name=text[:200], scopes=["read"])
    return project


def make_common_rows():
    """Make rows of the tables that belong to no project."""
    now = clock.now()
    user = make_user()
    Organisation.objects.get_or_create(id=1, defaults={"name": "Acme"})
    SignInTry.objects.create(subject="account:0")
    calendar, _ = BusinessCalendar.objects.get_or_create(key="office", defaults={"name": "Office"})
    Holiday.objects.get_or_create(calendar=calendar, day=date(2026, 12, 25))
    Worker.objects.create(host="host", pid=1)
    RateLimit.objects.create(key="host:crm.example.com", amount=10)
    ExecutionBatch.objects.create(
        id=ids.uuid7(), worker_id=ids.uuid7(), lease_until=now, claimed_at=now, targets=[],
        execution_ids=[], event_ids=[], target_numbers=[], business_keys=[], replays=[],
        received_at=[],
    )  # fmt: skip
    WorkflowTemplate.objects.create(slug="t", name="Template", document="{}")
    InboxEntry.objects.create(id=ids.uuid7(), event_id=ids.uuid7())
    TableChange.objects.create(schema_name="public", table_name="leads", op="insert", row_key="1")
    Group.objects.create(name="Group")
    _scheduled_by_beat(now)
    LogEntry.objects.create(
        user=user,
        content_type=ContentType.objects.get_for_model(Group),
        action_flag=CHANGE,
        object_repr="x",
        change_message="",
    )


def _started(project, workflow, text):
    now = clock.now()
    source = f"manual:{workflow.pk}"
    make_subscription(workflow=workflow, trigger_id="other", source=source)
    endpoint = WebhookEndpoint.objects.create(
        project=project, workflow=workflow, trigger_id="w", token=str(ids.uuid7()),
        name=text[:200], auth_mode="none",
    )  # fmt: skip
    WebhookRefusal.objects.create(
        project=project, endpoint=endpoint, status=401, code="signature", message=text[:300]
    )
    HostedForm.objects.create(
        project=project, workflow=workflow, trigger_id="f", token=str(ids.uuid7())[:36],
        cfg={"title": text[:200], "fields": [{"key": "email", "title": text[:200]}]},
    )  # fmt: skip
    schedule = ScheduleTrigger.objects.create(
        project=project, workflow=workflow, trigger_id="s", cron="0 9 * * *"
    )
    ScheduleTick.objects.create(project=project, schedule=schedule, tick_at=now)
    event = make_event(project=project, source=source, data={"name": text})
    ReplayJob.objects.create(
        project=project, per_second=1, total=1, newest_id=event.pk, error=text[:500]
    )
    EventKey.objects.create(project=project, source=source, key=text[:300], event_id=event.pk)
    WatchedTable.objects.create(project=project, table_name=f"t_{project.slug}"[:63])


def _ran(project, workflow, admin, text):
    now = clock.now()
    run = make_execution(
        version=workflow.live_version,
        business_key=text[:300],
        context_data={"name": text},
        error={"code": "x", "message": text},
    )
    make_step(run, result_data={"name": text})
    ExecutionTimer.objects.create(execution=run, due_at=now + timedelta(days=1))
    _waited(project, run, text)
    job = BulkJob.objects.create(project=project, act="retry", per_second=1, created_by=admin)
    BulkItem.objects.create(job=job, execution_id=run.pk, status="WAITING", message=text[:500])
    make_task(
        project=project, title=text[:300], description=text, assignee=admin,
        workflow=workflow, execution=run,
    )  # fmt: skip
    WebhookAnswer.objects.create(
        execution_id=run.pk, project=project, status=200, body={"name": text}
    )
    OutboxMail.objects.create(
        project=project, mode="outbox", message_id=f"<{ids.uuid7()}@x>", sender="a@b.example",
        to=text, subject=text[:998], text=text,
    )  # fmt: skip
    audit.record("test.act", actor=admin, project=project, obj=run, detail={"name": text})


def _waited(project, run, text):
    ExecutionWait.objects.create(
        id=ids.uuid7(), project_id=project.pk, execution_id=run.pk, step_id="ask", kind="event",
        key=text[:300],
    )  # fmt: skip
    ConcurrencyTurn.objects.create(
        execution_id=run.pk, workflow_id=run.workflow_id, key=text[:300], place=clock.now(),
        most=1, is_held=True,
    )  # fmt: skip
    Circuit.objects.create(
        key=str(project.pk), project=project, name=text[:300], failures=1, failed_at=clock.now()
    )


def _scheduled_by_beat(now):
    interval = IntervalSchedule.objects.create(every=5, period="seconds")
    CrontabSchedule.objects.create()
    SolarSchedule.objects.create(event="sunrise", latitude=1, longitude=1)
    ClockedSchedule.objects.create(clocked_time=now)
    PeriodicTask.objects.create(name="beat", task="x", interval=interval)
