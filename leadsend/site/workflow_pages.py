"""The list of workflows, and one workflow told in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from leadsend.access import policy
from leadsend.access.models import User
from leadsend.access.pages import page
from leadsend.lib.errors import LeadSendError, NotAllowed, NotFound
from leadsend.lib.keyset import keyset_page
from registry.catalog import catalog
from runtime.models import Execution
from triggers import hosted_forms
from workflows import drafts, publishing
from workflows.definition.outline import outline, summary
from workflows.models import Workflow, WorkflowQuerySet, WorkflowVersion
from workflows.problems import problems_of

# States as they are chosen in the list and shown as badges.
STATES = {
    "live": Q(is_active=True, live_version__isnull=False),
    "draft": Q(live_version__isnull=True),
    "paused": Q(is_active=False, live_version__isnull=False),
}
RECENT = 5


@page("workflow.read")
@require_GET
def workflow_list(request: HttpRequest) -> HttpResponse:
    """All workflows the user sees, newest first; ``?q=`` searches names, ``?state=`` filters."""
    rows = _visible(request).select_related("owner").annotate(last_run_id=_last_run_id())
    shown = keyset_page(_searched(rows, request), request.GET)
    context = {
        "page": shown,
        "cards": _cards(shown.rows),
        "q": request.GET.get("q", ""),
        "state": request.GET.get("state", ""),
        "is_filtered": bool(request.GET.get("q") or request.GET.get("state")),
    }
    return render(request, "workflows/list.html", context)


@page("workflow.read")
@require_GET
def workflow_page(request: HttpRequest, workflow_id: UUID) -> HttpResponse:
    """One workflow: its draft in sentences, what is wrong with it, and what may be done."""
    return _page(request, find_workflow(request, workflow_id))


@page("workflow.publish")
@require_POST
def publish(request: HttpRequest, workflow_id: UUID) -> HttpResponse:
    """Make the draft live."""
    workflow = find_workflow(request, workflow_id)
    policy.require(request.user, "workflow.publish", workflow.project_id)
    try:
        version = publishing.publish(workflow, user=_user(request))
    except (NotAllowed, NotFound):
        raise
    except LeadSendError as error:
        messages.error(request, error.message)
        return redirect("workflow", workflow_id)
    return answer_published(request, version)


@page("workflow.publish")
@require_POST
def pause(request: HttpRequest, workflow_id: UUID) -> HttpResponse:
    """Let nothing start the workflow any more."""
    workflow = find_workflow(request, workflow_id)
    policy.require(request.user, "workflow.publish", workflow.project_id)
    publishing.retire(workflow, user=_user(request))
    messages.success(
        request, _("Paused: nothing starts this workflow any more. What runs goes on.")
    )
    return redirect("workflow", workflow_id)


@page("workflow.publish")
@require_POST
def resume(request: HttpRequest, workflow_id: UUID) -> HttpResponse:
    """Let the workflow be started again."""
    workflow = find_workflow(request, workflow_id)
    policy.require(request.user, "workflow.publish", workflow.project_id)
    try:
        publishing.revive(workflow, user=_user(request))
    except (NotAllowed, NotFound):
        raise
    except LeadSendError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("Live again."))
    return redirect("workflow", workflow_id)


def answer_published(request: HttpRequest, version: WorkflowVersion) -> HttpResponse:
    """Lead to the workflow that was just published.

    The answer is the page itself where there is something to tell once, such as the secret of a
    webhook: nothing that is kept between two requests may hold it.
    """
    messages.success(request, _("Version %(number)d is live.") % {"number": version.version_num})
    if version.answers:
        return _page(request, version.workflow, answers=version.answers)
    return redirect("workflow", version.workflow_id)


def state_of(workflow: Workflow) -> str:
    """Return the name of a workflow's state: ``live``, ``draft`` or ``paused``."""
    if workflow.live_version_id is None:
        return "draft"
    return "live" if workflow.is_active else "paused"


def find_workflow(request: HttpRequest, workflow_id: UUID) -> Workflow:
    """Return the workflow with its live version; raise NotFound where the user sees none."""
    workflow = _visible(request).select_related("live_version", "owner").filter(pk=workflow_id)
    found: Workflow | None = workflow.first()
    if found is None:
        raise NotFound("There is no such workflow.")
    return found


def _page(
    request: HttpRequest, workflow: Workflow, *, answers: Mapping[str, Any] | None = None
) -> HttpResponse:
    document = drafts.document_of(workflow)
    live = workflow.live_version
    recent = Execution.objects.visible_to(request.user).filter(workflow=workflow)
    context = {
        "workflow": workflow,
        "state": state_of(workflow),
        "outline": outline(document, catalog=catalog()),
        "document": document,
        "problems": problems_of(workflow, document),
        "has_changes": live is None or live.document != workflow.draft,
        "may_run": policy.may(_user(request), "workflow.run", workflow.project_id),
        "may_publish": policy.may(_user(request), "workflow.publish", workflow.project_id),
        "versions": workflow.versions.select_related("published_by").order_by("-version_num")[:10],
        "recent": recent.order_by("-pk")[:RECENT],
        "endpoints": (answers or {}).get("webhook_endpoints", ()),
        "forms": hosted_forms.open_forms(workflow),
    }
    return render(request, "workflows/workflow.html", context)


def _visible(request: HttpRequest) -> WorkflowQuerySet:
    rows: WorkflowQuerySet = Workflow.objects.visible_to(_user(request)).not_deleted()
    return rows


def _searched(rows: QuerySet[Workflow], request: HttpRequest) -> QuerySet[Workflow]:
    text = request.GET.get("q", "").replace("\0", "").strip()
    if text:
        rows = rows.filter(Q(name__icontains=text) | Q(description__icontains=text))
    wanted = STATES.get(request.GET.get("state", ""))
    return rows.filter(wanted) if wanted is not None else rows


def _last_run_id() -> Subquery:
    runs = Execution.objects.filter(workflow_id=OuterRef("pk"))
    return Subquery(runs.order_by("-pk").values("pk")[:1])


def _cards(workflows: Iterable[Any]) -> list[dict[str, Any]]:
    """Return what the list shows of each workflow; one query for the last runs."""
    rows = list(workflows)
    runs = Execution.objects.in_bulk([row.last_run_id for row in rows if row.last_run_id])
    return [
        {
            "workflow": row,
            "state": state_of(row),
            "summary": summary(drafts.document_of(row), catalog=catalog()),
            "last_run": runs.get(row.last_run_id),
        }
        for row in rows
    ]


def _user(request: HttpRequest) -> User:
    return cast("User", request.user)
