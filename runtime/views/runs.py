"""The list of runs, one run with its steps, and what people may do with it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from leadsend.access import policy
from leadsend.access.pages import page
from leadsend.lib.errors import LeadSendError, NotAllowed, NotFound
from leadsend.lib.keyset import keyset_page
from runtime import executions
from runtime.deciding import Decision
from runtime.models import (
    Execution,
    ExecutionStatus,
    ExecutionTimer,
    OutboxMail,
    StepExecution,
    Task,
)
from runtime.views.again import offer
from runtime.views.finding import find_run, json_given, operable, user_of, visible_runs
from runtime.views.telling import is_stuck, tell_steps
from workflows.models import Workflow

MOST_STEPS = 1000
# What a filter's value stands for: "failed" is what somebody has to look at.
FILTERS = {
    "unfinished": ("PENDING", "RUNNING", "WAITING", "PAUSED"),
    "waiting": ("WAITING",),
    "done": ("SUCCESS",),
    "failed": ("FAILED", "TIMED_OUT"),
    "cancelled": ("CANCELLED",),
}
_DECISIONS: tuple[Decision, ...] = ("done", "run_again", "failed")


@page("execution.read")
@require_GET
def run_list(request: HttpRequest) -> HttpResponse:
    """All runs the user sees, newest first.

    ``?status=`` is one of ``FILTERS``, ``?workflow=`` an id, ``?q=`` how the business key begins.
    """
    shown = keyset_page(_filtered(visible_runs(request), request).with_workflow(), request.GET)
    workflows = Workflow.objects.visible_to(user_of(request)).not_deleted()
    context = {
        "page": shown,
        # The first page shows new runs by itself.
        "is_live": not shown.newest,
        "q": request.GET.get("q", ""),
        "status": request.GET.get("status", ""),
        "workflow": request.GET.get("workflow", ""),
        "workflows": workflows.order_by("name").only("id", "name")[:500],
        "is_filtered": any(request.GET.get(name) for name in ("q", "status")),
    }
    return render(request, "runtime/runs.html", context)


@page("execution.read")
@require_GET
def run_page(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """One run: where it stands, its steps with what went in and came out, and what may be done."""
    run = find_run(request, run_id)
    rows = StepExecution.objects.of_execution(run.pk).order_by("pk")[:MOST_STEPS]
    may_operate = policy.may(user_of(request), "execution.operate", run.project_id)
    told = tell_steps(run, list(rows))
    context = {
        "run": run,
        "steps": told,
        "again": offer(run, told) if run.is_final and may_operate else None,
        "goes_on_at": ExecutionTimer.objects.filter(pk=run.pk).values_list("due_at", flat=True)
        if run.status == ExecutionStatus.WAITING
        else (),
        "is_stuck": is_stuck(run),
        "may_operate": may_operate,
        "tasks": Task.objects.visible_to(user_of(request)).filter(execution=run.pk)[:20],
        "mails": OutboxMail.objects.visible_to(user_of(request)).filter(execution_id=run.pk)[:20],
        "called": visible_runs(request).filter(parent_execution=run.pk).with_workflow()[:20],
        "retries": Execution.objects.visible_to(user_of(request)).filter(retry_of=run.pk)[:5],
    }
    return render(request, "runtime/run.html", context)


@page("execution.operate")
@require_POST
def act(request: HttpRequest, run_id: UUID, wish: str) -> HttpResponse:
    """Cancel, pause, resume or retry a run; goes to the new run after a retry."""
    run = operable(request, run_id)
    try:
        after = _done(request, run, wish)
    except (NotAllowed, NotFound):
        raise
    except LeadSendError as error:
        messages.error(request, error.message)
        after = run
    return redirect("run", after.pk)


@page("execution.operate")
@require_POST
def decide(request: HttpRequest, run_id: UUID, step_row_id: UUID) -> HttpResponse:
    """Write down what a person found out about a step of which nobody knows if it happened."""
    run = operable(request, run_id)
    row = StepExecution.objects.of_execution(run.pk).filter(pk=step_row_id).first()
    if row is None:
        raise NotFound("There is no such step.")
    wish = request.POST.get("decision")
    decision = next((name for name in _DECISIONS if name == wish), None)
    if decision is None:
        messages.error(request, _("Choose what happened."))
        return redirect("run", run.pk)
    reason = request.POST.get("reason", "").replace("\0", "")[:1000]
    try:
        output = json_given(request, "output") if decision == "done" else None
        executions.decide_uncertain(row, decision, reason, user_of(request), output=output)
    except LeadSendError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("Noted. The run goes on."))
    return redirect("run", run.pk)


def _done(request: HttpRequest, run: Execution, wish: str) -> Execution:
    user = user_of(request)
    match wish:
        case "cancel":
            after = executions.cancel(run, user=user)
            text = _("The run stops as soon as its present step has answered.")
            messages.success(request, _("The run is cancelled.") if after.is_final else text)
        case "pause":
            after = executions.pause(run, user=user)
            messages.success(request, _("Paused. Steps under way still finish."))
        case "resume":
            after = executions.resume(run, user=user)
            messages.success(request, _("The run goes on."))
        case _:
            step = request.POST.get("from_step") or None
            after = executions.retry(run, user=user, from_step=step)
            messages.success(request, _("Started again. This is the new run."))
    return after


def _filtered(rows: Any, request: HttpRequest) -> Any:
    wanted = request.GET.get("status", "")
    if wanted == "uncertain":
        rows = rows.uncertain()
    elif wanted == "dead_letter":
        rows = rows.dead_letters()
    statuses = FILTERS.get(wanted)
    if statuses:
        rows = rows.filter(status__in=statuses)
    if workflow := _uuid(request.GET.get("workflow", "")):
        rows = rows.filter(workflow_id=workflow)
    if text := request.GET.get("q", "").replace("\0", "").strip():
        rows = rows.about_prefix(text)
    found: QuerySet[Execution] = rows
    return found


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
