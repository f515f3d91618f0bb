"""Rows for tests, with what they need around them; every argument has a sensible default."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any
from uuid import UUID

from credentials import storing
from credentials.models import UserCredential
from leadsend.access.models import Membership, Project, Role, User
from leadsend.lib import clock, ids
from registry.catalog import catalog
from registry.seeding import seed_registry
from runtime.models import BulkJob, Execution, ExecutionStatus, StepExecution, StepStatus, Task
from triggers.models import (
    AuthMode,
    HostedForm,
    ReplayJob,
    ScheduleTrigger,
    Subscription,
    TriggerEvent,
    WebhookEndpoint,
)
from workflows import drafts, publishing
from workflows.models import Workflow, WorkflowVersion

PASSWORD = "correct-horse-battery"  # noqa: S105 - of people who exist in tests only

_numbers = count(1)


def make_project(name: str = "", **fields: Any) -> Project:
    """Create a project."""
    number = next(_numbers)
    fields.setdefault("slug", f"project-{number}")
    return Project.objects.create(name=name or f"Project {number}", **fields)


def make_user(
    email: str = "", *, project: Project | None = None, role: str = Role.BUILDER, **fields: Any
) -> User:
    """Create a user who signs in with ``PASSWORD``, a member of the project when one is given."""
    user = User.objects.create_user(
        email or f"user{next(_numbers)}@example.com", PASSWORD, **fields
    )
    if project is not None:
        Membership.objects.create(project=project, user=user, role=role)
    return user


def make_document(
    *, name: str = "Lead welcome", steps: Sequence[str | Mapping[str, Any]] = ("set_fields",)
) -> dict[str, Any]:
    """Return a shorthand document with a manual trigger and these steps as a chain.

    A step is the key of an action, which gets its example as ``cfg``, or a step of the document.
    """
    return {"name": name, "triggers": ["manual"], "steps": [_step(step) for step in steps]}


def make_workflow(
    *,
    project: Project | None = None,
    user: User | None = None,
    document: Mapping[str, Any] | None = None,
    name: str = "",
    steps: Sequence[str | Mapping[str, Any]] = ("set_fields",),
    published: bool = False,
) -> Workflow:
    """Create a workflow from a document, or from steps; ``published`` makes it live."""
    project = project or make_project()
    user = user or make_user(project=project, role=Role.ADMIN)
    name = name or f"Workflow {next(_numbers)}"
    workflow = drafts.create_workflow(
        project, user, dict(document or make_document(name=name, steps=steps))
    )
    if published:
        publishing.publish(workflow, user=user)
        workflow.refresh_from_db()
    return workflow


def make_version(**arguments: Any) -> WorkflowVersion:
    """Create a workflow and return its published version."""
    version = make_workflow(**arguments, published=True).live_version
    assert version is not None
    return version


def make_event(*, project: Project | None = None, **fields: Any) -> TriggerEvent:
    """Create an event as the inbox keeps it."""
    values = {
        "id": ids.uuid7(),
        "trigger_key": "manual",
        "trigger_type": "manual",
        "source": "manual:test",
        "data": {"email": "lead@example.com", "name": "Lea"},
        "received_at": clock.now(),
    }
    project = project or make_project()
    return TriggerEvent.objects.create(project=project, **{**values, **fields})


def make_execution(
    *,
    version: WorkflowVersion | None = None,
    status: str = ExecutionStatus.PENDING,
    **fields: Any,
) -> Execution:
    """Create an execution; a final status gets an end."""
    version = version or make_version()
    now = clock.now()
    values: dict[str, Any] = {
        "id": ids.uuid7(),
        "context_data": {"email": "lead@example.com"},
        "run_after": now,
        "created_at": now,
    }
    if status in FINAL:
        values |= {"started_at": now, "ended_at": now, "execution_time": 0}
    return Execution.objects.create(
        project_id=version.project_id,
        workflow_id=version.workflow_id,
        version=version,
        status=status,
        **{**values, **fields},
    )


def make_replay_job(*, project: Project, user: User | None = None, **fields: Any) -> ReplayJob:
    """Make a replay of many events."""
    values = {"per_second": 10, "total": 1, "newest_id": ids.uuid7(), "created_by": user}
    return ReplayJob.objects.create(project=project, **{**values, **fields})


def make_bulk_job(*, project: Project, user: User | None = None, **fields: Any) -> BulkJob:
    """Create a bulk job that has nothing left to do."""
    values = {"act": "retry", "per_second": 10, "created_by": user}
    return BulkJob.objects.create(project=project, **{**values, **fields})


def make_step(
    execution: Execution, *, step_id: str = "first", attempt: int = 1, **fields: Any
) -> StepExecution:
    """Create the row of one attempt of a step."""
    now = clock.now()
    values: dict[str, Any] = {
        "id": step_id_of(execution.pk, step_id, attempt),
        "kind": "action",
        "action_key": "set_fields",
        "status": StepStatus.SUCCESS,
        "started_at": now,
        "ended_at": now,
        "execution_time": 0,
        "created_at": now,
    }
    return StepExecution.objects.create(
        project_id=execution.project_id,
        execution=execution,
        step_id=step_id,
        attempt=attempt,
        **{**values, **fields},
    )


def step_id_of(execution_id: UUID, step_id: str, attempt: int) -> UUID:
    """Return the primary key that this attempt always has."""
    return ids.step_row_id(execution_id, step_id, None, attempt)


def make_task(*, project: Project | None = None, **fields: Any) -> Task:
    """Create a task that nobody has yet."""
    values = {"title": f"Call lead {next(_numbers)}"}
    return Task.objects.create(project=project or make_project(), **{**values, **fields})


def make_credential(
    *, project: Project | None = None, owner: User | None = None, **fields: Any
) -> UserCredential:
    """Store a connection of the type ``bearer`` (or ``type_key``) with a secret."""
    seed_registry()
    project = project or make_project()
    values: dict[str, Any] = {
        "name": f"Connection {next(_numbers)}",
        "type_key": "bearer",
        "fields": {"token": "a-secret-of-a-test-0123456789"},
    }
    owner = owner or make_user(project=project, role=Role.ADMIN)
    return storing.create_credential(project_id=project.pk, owner=owner, **{**values, **fields})


def make_subscription(*, workflow: Workflow | None = None, **fields: Any) -> Subscription:
    """Create a subscription of a workflow to its manual trigger."""
    workflow = workflow or make_workflow()
    values = {
        "trigger_id": f"t{next(_numbers)}",
        "trigger_key": "manual",
        "source": f"manual:{workflow.pk}",
    }
    return Subscription.objects.create(
        project_id=workflow.project_id, workflow=workflow, **{**values, **fields}
    )


def make_hosted_form(*, workflow: Workflow | None = None, **fields: Any) -> HostedForm:
    """Create a form with one field, for an e-mail address."""
    workflow = workflow or make_workflow()
    email = {"key": "email", "title": "E-mail", "type": "email", "required": True}
    values = {
        "trigger_id": f"t{next(_numbers)}",
        "token": secrets.token_urlsafe(12),
        "cfg": {"title": "Contact us", "fields": [email]},
    }
    return HostedForm.objects.create(
        project_id=workflow.project_id, workflow=workflow, **{**values, **fields}
    )


def make_webhook_endpoint(*, workflow: Workflow | None = None, **fields: Any) -> WebhookEndpoint:
    """Create an endpoint of a workflow that anybody may send to."""
    workflow = workflow or make_workflow()
    values = {
        "trigger_id": f"t{next(_numbers)}",
        "token": secrets.token_urlsafe(24),
        "methods": ["POST"],
        "auth_mode": AuthMode.NONE,
    }
    return WebhookEndpoint.objects.create(
        project_id=workflow.project_id, workflow=workflow, **{**values, **fields}
    )


def make_schedule(*, workflow: Workflow | None = None, **fields: Any) -> ScheduleTrigger:
    """Create a schedule of a workflow that fires at nine, and has no tick yet."""
    workflow = workflow or make_workflow()
    values = {"trigger_id": f"t{next(_numbers)}", "cron": "0 9 * * *"}
    return ScheduleTrigger.objects.create(
        project_id=workflow.project_id, workflow=workflow, **{**values, **fields}
    )


def _step(step: str | Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(step, str):
        return step
    action = catalog().action(step)
    assert action is not None, step
    return {"kind": "action", "action_key": step, "cfg": dict(action.example)}


FINAL = {
    ExecutionStatus.SUCCESS,
    ExecutionStatus.FAILED,
    ExecutionStatus.CANCELLED,
    ExecutionStatus.TIMED_OUT,
}
