"""The inbox of tasks: mine, my teams', done."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from leadsend.access import policy
from leadsend.access.models import User
from leadsend.access.pages import page
from leadsend.lib.errors import LeadSendError, NotAllowed, NotFound
from leadsend.lib.keyset import keyset_page
from runtime import human_tasks
from runtime.models import Task, TaskStatus
from runtime.task_forms import answers_of, fields_of

TABS = ("mine", "team", "all", "done")


@page("task.read")
@require_GET
def task_list(request: HttpRequest) -> HttpResponse:
    """Tasks of one tab: ``?tab=mine`` (the usual), ``team``, ``all`` or ``done``."""
    tab = request.GET.get("tab", "")
    tab = tab if tab in TABS else "mine"
    rows = _of_tab(_visible(request), tab, _user(request))
    shown = keyset_page(
        rows.select_related("assignee", "team", "workflow", "completed_by"), request.GET
    )
    user = _user(request)
    entries = [
        {
            "task": task,
            "may_work": policy.may(user, "task.work", task.project_id),
            "answers": answers_of(task.form),
            "fields": fields_of(task.form),
        }
        for task in shown.rows
    ]
    context = {"page": shown, "entries": entries, "tab": tab}
    return render(request, "runtime/tasks.html", context)


@page("task.work")
@require_POST
def complete(request: HttpRequest, task_id: UUID) -> HttpResponse:
    """Mark a task as done, with the answer that was chosen, and go back to the tab it was done on."""
    task = _visible(request).filter(pk=task_id).first()
    if task is None:
        raise NotFound("There is no such task.")
    policy.require(request.user, "task.work", task.project_id)
    try:
        human_tasks.complete(task, user=_user(request), answer=_answer(task, request.POST))
    except (NotAllowed, NotFound):
        raise
    except LeadSendError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("Done: %(title)s") % {"title": task.title})
    tab = request.POST.get("tab", "mine")
    response = redirect("tasks")
    response["Location"] += f"?tab={tab}" if tab in TABS else ""
    return response


def _answer(task: Task, post: QueryDict) -> dict[str, Any] | None:
    """Return what was filled in; None for a task that is only done."""
    if not answers_of(task.form):
        return None
    values = {field.key: post.get(f"field_{field.key}", "") for field in fields_of(task.form)}
    return {
        "answer": post.get("answer", ""),
        "comment": post.get("comment", ""),
        "fields": values,
    }


def _visible(request: HttpRequest) -> Any:
    return Task.objects.visible_to(_user(request))


def _of_tab(rows: Any, tab: str, user: User) -> QuerySet[Task, Task]:
    if tab == "mine":
        rows = rows.open().filter(assignee=user)
    elif tab == "team":
        rows = rows.open().filter(team__in=user.teams.values("pk"), assignee=None)
    elif tab == "all":
        rows = rows.open()
    else:
        rows = rows.filter(status=TaskStatus.DONE)
    found: QuerySet[Task, Task] = rows
    return found


def _user(request: HttpRequest) -> User:
    return cast("User", request.user)
