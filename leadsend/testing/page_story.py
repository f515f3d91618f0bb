"""One project with something on every page: for tests of pages and pictures of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from leadsend.access.models import Organisation, Project, Role, Team, User
from leadsend.lib import clock, ids
from leadsend.testing.factories import (
    make_execution,
    make_project,
    make_step,
    make_task,
    make_user,
    make_workflow,
)
from runtime.models import Execution, ExecutionTimer, OutboxMail, StepExecution, Task
from workflows.models import Workflow

# What people, machines and attackers write: markup, right-to-left, marks, controls, no end.
ODD = (
    "<script>alert(1)</script> \u202eevil\u202c שלום עולם مرحبا Z\u0351\u036b\u0343\u036aalgo "
    "\u200b\ufeff {{ 7|add:1 }} {% load x %} & 'quotes\" \x1b[31m 👩\u200d👩\u200d👧 \ud7ff\ue000\uffff"
)

LEAD_FLOW: dict[str, Any] = {
    "name": "Welcome new leads",
    "description": "Welcomes hot leads at once, reminds the others a day later.",
    "triggers": ["manual"],
    "steps": [
        {
            "id": "hot",
            "kind": "condition",
            "title": "Is the lead hot?",
            "cfg": {"all": [{"left": "{{ event.score }}", "op": "gt", "right": 50}]},
        },
        {
            "id": "welcome",
            "kind": "action",
            "action_key": "email_send",
            "cfg": {"to": "{{ event.email }}", "template": "welcome"},
        },
        {
            "id": "call",
            "kind": "action",
            "action_key": "task_create",
            "title": "Ask sales to call",
            "cfg": {"title": "Call {{ event.name }}", "assignee": "sales_team"},
        },
        {"id": "wait", "kind": "delay", "cfg": {"for": "1d"}},
        {
            "id": "reminder",
            "kind": "action",
            "action_key": "email_send",
            "cfg": {"to": "{{ event.email }}", "template": "reminder"},
        },
    ],
    "edges": [
        {"from": "hot", "to": "welcome", "branch_key": "yes"},
        {"from": "welcome", "to": "call"},
        {"from": "hot", "to": "wait", "branch_key": "no"},
        {"from": "wait", "to": "reminder"},
    ],
}
ADA = {"name": "Ada Byron", "email": "ada@example.com", "score": 80, "tags": ["fair", "hot"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageStory:
    """The people and rows of the story."""

    project: Project
    owner: User
    viewer: User
    stranger: User
    workflow: Workflow
    draft: Workflow
    done: Execution
    failed: Execution
    waiting: Execution
    uncertain_step: StepExecution
    odd: Execution
    task: Task
    mail: OutboxMail


def tell_page_story() -> PageStory:
    """Write the rows of the story and return them."""
    Organisation.objects.create(name="Acme")
    project = make_project("Acme sales")
    owner = make_user("ben@example.com", project=project, role=Role.ADMIN, name="Ben Business")
    viewer = make_user("vera@example.com", project=project, role=Role.VIEWER, name="Vera Viewer")
    stranger = make_user("eve@example.com", project=make_project("Elsewhere"), name="Eve")
    team = Team.objects.create(project=project, key="sales_team", name="Sales")
    team.members.add(owner)
    workflow = make_workflow(project=project, user=owner, document=LEAD_FLOW, published=True)
    draft = make_workflow(project=project, user=owner, name=f"Draft {ODD}"[:190])
    version = workflow.live_version
    assert version is not None
    done = _done_run(version)
    odd = make_execution(
        version=version, business_key=ODD, context_data={"name": ODD, ODD: [ODD, None, True]}
    )
    return PageStory(
        project=project,
        owner=owner,
        viewer=viewer,
        stranger=stranger,
        workflow=workflow,
        draft=draft,
        done=done,
        failed=_failed_run(version),
        waiting=_waiting_run(version),
        uncertain_step=_uncertain_step(version),
        odd=odd,
        task=_tasks(project, workflow, done, owner, team),
        mail=_mail(project, done),
    )


def _done_run(version: Any) -> Execution:
    run = make_execution(
        version=version,
        status="SUCCESS",
        business_key="ada@example.com",
        context_data=ADA,
        execution_time=1240,
    )
    make_step(run, step_id="hot", kind="condition", action_key="", branch="yes")
    failure = {"code": "retryable", "message": "The mail server did not answer within 30 s."}
    soon = clock.now() + timedelta(seconds=2)
    inputs = {"to": "ada@example.com", "template": "welcome"}
    make_step(
        run,
        step_id="welcome",
        status="FAILED",
        action_key="email_send",
        error=failure,
        due_at=soon,
        input_data=inputs,
    )
    make_step(
        run,
        step_id="welcome",
        attempt=2,
        action_key="email_send",
        input_data=inputs,
        result_data={"message_id": "<1@acme>", "mode": "outbox"},
        execution_time=912,
    )
    make_step(
        run,
        step_id="call",
        action_key="task_create",
        input_data={"title": "Call Ada Byron", "assignee": "sales_team"},
        result_data={"task_id": str(run.pk), "title": "Call Ada Byron", "status": "PENDING"},
        execution_time=34,
    )
    for step in ("wait", "reminder"):
        make_step(run, step_id=step, status="SKIPPED", started_at=None, execution_time=None)
    return run


def _failed_run(version: Any) -> Execution:
    message = "The address “ada@” has no domain: correct it in the step, or where it comes from."
    error = {"code": "permanent", "message": message}
    run = make_execution(
        version=version, status="FAILED", business_key="ada@", context_data=ADA, error=error
    )
    make_step(run, step_id="hot", kind="condition", action_key="", branch="yes")
    make_step(
        run,
        step_id="welcome",
        status="FAILED",
        action_key="email_send",
        input_data={"to": "ada@"},
        error=error,
    )
    return run


def _waiting_run(version: Any) -> Execution:
    now = clock.now()
    run = make_execution(
        version=version,
        status="WAITING",
        business_key="cold@example.com",
        context_data={**ADA, "score": 10},
        started_at=now,
    )
    due = now + timedelta(days=1)
    make_step(run, step_id="hot", kind="condition", action_key="", branch="no")
    make_step(run, step_id="wait", kind="delay", status="WAITING", due_at=due, ended_at=None)
    ExecutionTimer.objects.create(execution=run, due_at=due)
    return run


def _uncertain_step(version: Any) -> StepExecution:
    run = make_execution(
        version=version, status="WAITING", business_key="maybe@example.com", context_data=ADA
    )
    make_step(run, step_id="hot", kind="condition", action_key="", branch="yes")
    return make_step(
        run,
        step_id="welcome",
        status="UNCERTAIN",
        action_key="email_send",
        ended_at=None,
        input_data={"to": "maybe@example.com"},
        error={"code": "uncertain", "message": "The process died while the mail was being sent."},
    )


def _tasks(project: Project, workflow: Workflow, run: Execution, owner: User, team: Team) -> Task:
    around = {"workflow": workflow, "execution": run, "business_key": "ada@example.com"}
    due = clock.now() + timedelta(days=1)
    make_task(project=project, title=ODD[:290], description=ODD, assignee=owner, **around)
    make_task(project=project, title="Send the offer", team=team, **around)
    make_task(project=project, title="Said hello", status="DONE", assignee=owner, **around)
    return make_task(
        project=project,
        title="Call Ada Byron",
        description="She asked for a price.\nHer number is in the form.",
        assignee=owner,
        due_at=due,
        priority="high",
        **around,
    )


def _mail(project: Project, run: Execution) -> OutboxMail:
    _keep_mail(project, run, name="odd", subject=ODD, text=ODD, html=f"<p>{ODD}<img src=//x.y>")
    text = "Hello Ada,\n\nthank you for your interest."
    html = f"<p style='color:teal'>{text}</p>"
    return _keep_mail(project, run, name="welcome", subject="Welcome, Ada", text=text, html=html)


def _keep_mail(
    project: Project, run: Execution, *, name: str, subject: str, text: str, html: str
) -> OutboxMail:
    return OutboxMail.objects.create(
        id=ids.uuid7(),
        project=project,
        execution_id=run.pk,
        step_id="welcome",
        mode="outbox",
        message_id=f"<{name}-{run.pk}@acme>",
        sender="LeadSend <leadsend@localhost>",
        to="ada@example.com",
        subject=subject,
        text=text,
        html=html,
    )
