"""First steps by a click: make the welcome workflow, and run a workflow with a sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from leadsend.access import policy
from leadsend.access.models import Project, User
from leadsend.access.pages import page
from leadsend.lib.errors import LeadSendError, NotAllowed, NotFound
from leadsend.site.demo import WELCOME
from leadsend.site.workflow_pages import answer_published, find_workflow
from registry.catalog import catalog
from triggers import replaying
from workflows import drafts, publishing
from workflows.models import Workflow, WorkflowVersion

_ANY_LEAD = {"name": "Ada Byron", "email": "ada@example.com", "score": 80}


@page("workflow.publish")
@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    """Make the welcome workflow in the user's first project, live; asked again: show it."""
    user = cast("User", request.user)
    project = Project.objects.filter(pk__in=policy.projects_where(user, "workflow.publish"))
    first = project.order_by("pk").first()
    if first is None:
        raise NotAllowed(_("You may not publish in any project of your own."))
    found = Workflow.objects.filter(project=first, name=WELCOME["name"]).not_deleted().first()
    if found is not None:
        return redirect("workflow", found.pk)
    try:
        version = _create(first, user)
    except LeadSendError as error:
        messages.error(request, error.message)
        return redirect("home")
    return answer_published(request, version)


@page("workflow.run")
@require_POST
def run_sample(request: HttpRequest, workflow_id: UUID) -> HttpResponse:
    """Run a live workflow with a sample of what starts it, and go to where its run appears."""
    workflow = find_workflow(request, workflow_id)
    policy.require(request.user, "workflow.run", workflow.project_id)
    try:
        replaying.start(workflow, user=cast("User", request.user), data=sample_of(workflow))
    except (NotAllowed, NotFound):
        raise
    except LeadSendError as error:
        messages.error(request, error.message)
        return redirect("workflow", workflow_id)
    messages.success(request, _("Started with a sample. Its run appears here in a moment."))
    return redirect(f"{reverse('runs')}?workflow={workflow_id}")


def sample_of(workflow: Workflow) -> Mapping[str, Any]:
    """Return a sample event of the workflow's first trigger."""
    for trigger in drafts.document_of(workflow)["triggers"]:
        kind = catalog().trigger_type(trigger["trigger_key"])
        if kind is not None:
            return kind.sample_event
    return _ANY_LEAD


def _create(project: Project, user: User) -> WorkflowVersion:
    with transaction.atomic():
        workflow = drafts.create_workflow(project, user, WELCOME)
        return publishing.publish(workflow, user=user)
