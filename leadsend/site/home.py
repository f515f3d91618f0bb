"""Home: what needs somebody, what runs, what failed, and how to begin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from leadsend.access import policy
from leadsend.access.models import User
from leadsend.access.pages import SIGNED_IN, page
from leadsend.lib import clock, ids
from leadsend.site.workflow_pages import state_of
from runtime.models import Execution, Task
from workflows.models import Workflow

RECENT = 6
# Counts stop here, so that a home page costs the same on a day with a million runs.
MOST_COUNTED = 10_000
_DAY = timedelta(hours=24)
# What a newcomer copies: the first workflow, and a lead to try it with.
_CREATE = """curl %s/api/v1/workflows/ \\
  -H "Authorization: Bearer YOUR_KEY" -H "Content-Type: application/json" \\
  -d '{
    "name": "Welcome new leads", "publish": true,
    "triggers": ["webhook"],
    "steps": [
      {"kind": "action", "action_key": "email_send", "cfg": {"template": "welcome"}},
      {"kind": "action", "action_key": "task_create", "cfg": {"assignee": "sales_team"}}
    ]
  }'"""
_RUN = """curl %s/api/v1/workflows/ID_FROM_THE_ANSWER/run/ \\
  -H "Authorization: Bearer YOUR_KEY" -H "Content-Type: application/json" \\
  -d '{"event": {"email": "ada@example.com", "name": "Ada"}}'"""


@page(SIGNED_IN)
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Figures of the last 24 hours, failed runs, the user's tasks, newest workflows."""
    user = cast("User", request.user)
    workflows = Workflow.objects.visible_to(user).not_deleted()
    newest = list(workflows.order_by("-pk")[:RECENT])
    context = {
        "workflows": [{"workflow": row, "state": state_of(row)} for row in newest],
        "create_call": _CREATE % settings.PUBLIC_URL,
        "run_call": _RUN % settings.PUBLIC_URL,
        "may_edit": policy.may_somewhere(user, "workflow.edit"),
        "may_begin": bool(policy.projects_where(user, "workflow.publish")),
        **(in_use(user) if newest else {}),
    }
    return render(request, "site/home.html", context)


def in_use(user: User) -> dict[str, Any]:
    """Return the figures and lists of a home page that shows a workflow; lists are querysets."""
    runs = Execution.objects.visible_to(user)
    since = ids.lowest_at(clock.now() - _DAY)
    of_today = runs.filter(pk__gte=since)
    failed = of_today.filter(status__in=["FAILED", "TIMED_OUT"])
    tasks = Task.objects.visible_to(user).open().mine(user)
    return {
        "runs_today": _count(of_today),
        "failed_today": _count(failed),
        "unfinished": _count(runs.unfinished()),
        "waiting": _count(runs.filter(status="WAITING")),
        "failed": failed.with_workflow().order_by("-pk")[:RECENT],
        "recent": runs.with_workflow().order_by("-pk")[:RECENT],
        "tasks": tasks.select_related("workflow").order_by("-pk")[:RECENT],
        "most_counted": MOST_COUNTED,
    }


def _count(rows: Any) -> int:
    found: int = rows.order_by()[:MOST_COUNTED].count()
    return found
