"""What people do with their tasks: make, complete, cancel, reassign.

Acts can be asked for twice: the second time finds it done and answers the same.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from leadsend.access import audit
from leadsend.access.models import Project, Team, User
from leadsend.lib import clock
from leadsend.lib.errors import Conflict, InvalidInput, NotFound, Problem
from leadsend.lib.postgres import django_connection
from runtime import queueing, waits
from runtime.models import Task, TaskStatus
from runtime.signals import task_done
from runtime.task_forms import read_answer


def create(
    project: Project,
    *,
    user: User | None,
    title: str,
    description: str = "",
    assignee: User | None = None,
    team: Team | None = None,
    due_at: datetime | None = None,
    priority: str = "normal",
) -> Task:
    """Make a task by hand and return it. Raises InvalidInput for somebody of another project."""
    _refuse_strangers(project, assignee=assignee, team=team)
    with transaction.atomic():
        task = Task.objects.create(
            project=project,
            title=title,
            description=description,
            assignee=assignee,
            team=team,
            due_at=due_at,
            priority=priority,
        )
        _record("task.create", task, user, {"title": title})
    return task


def complete(task: Task, *, user: User | None, answer: Any = None) -> Task:
    """Mark a task as done, with what the person answered (any JSON), and return it as it is now.

    A task with a form takes the answers of ``task_forms.read_answer`` only. Raises Conflict when it
    was cancelled, or completed with another answer, InvalidInput for what the form does not take.
    """
    with transaction.atomic():
        waits.lock_waits_for(django_connection(), "task", str(task.pk))
        locked = _lock(task)
        if locked.status == TaskStatus.DONE and answer is None:
            return locked
        answer = read_answer(locked.form, answer)
        if locked.status == TaskStatus.DONE and answer == locked.answer:
            return locked
        _refuse_closed(locked)
        locked.status = TaskStatus.DONE
        locked.answer = answer
        locked.completed_by = user
        locked.completed_at = locked.updated_at = clock.now()
        locked.save(
            update_fields=["status", "answer", "completed_by", "completed_at", "updated_at"]
        )
        by = user.email if user else None
        _answer(locked, waits.answer_of_task(answer, task_id=locked.pk, by=by))
        _record("task.complete", locked, user, {})
        task_done.send(sender=Task, task=locked)
    return locked


def cancel(task: Task, *, user: User | None, reason: str = "") -> Task:
    """Close a task that nobody has to do any more, and return it. Raises Conflict when done."""
    with transaction.atomic():
        waits.lock_waits_for(django_connection(), "task", str(task.pk))
        locked = _lock(task)
        if locked.status == TaskStatus.CANCELLED:
            return locked
        _refuse_closed(locked)
        locked.status = TaskStatus.CANCELLED
        locked.updated_at = clock.now()
        locked.save(update_fields=["status", "updated_at"])
        _answer(locked, {"cancelled": True, "reason": reason})
        _record("task.cancel", locked, user, {"reason": reason})
    return locked


def reassign(
    task: Task, *, user: User | None, assignee: User | None = None, team: Team | None = None
) -> Task:
    """Give a task to another person or team (both, or nobody), and return it.

    Raises Conflict when it is closed, InvalidInput for somebody of another project.
    """
    with transaction.atomic():
        locked = _lock(task)
        _refuse_closed(locked)
        if locked.assignee == assignee and locked.team == team:
            return locked
        _refuse_strangers(locked.project, assignee=assignee, team=team)
        locked.assignee = assignee
        locked.team = team
        locked.updated_at = clock.now()
        locked.save(update_fields=["assignee", "team", "updated_at"])
        detail = {
            "assignee": str(assignee.pk) if assignee else None,
            "team": team.key if team else None,
        }
        _record("task.reassign", locked, user, detail)
    return locked


def _answer(task: Task, said: dict[str, Any]) -> None:
    """Let the steps go on that wait for this task."""
    if waits.answer(django_connection(), "task", {str(task.pk): said}):
        queueing.ring()


def _lock(task: Task) -> Task:
    query = Task.objects.select_for_update(of=("self",))
    locked: Task | None = (
        query.select_related("project", "assignee", "team").filter(pk=task.pk).first()
    )
    if locked is None:
        raise NotFound(f"There is no task {task.pk}.")
    return locked


def _refuse_closed(task: Task) -> None:
    if task.status == TaskStatus.PENDING:
        return
    by = f" by {task.completed_by}" if task.completed_by else ""
    state = "done" if task.status == TaskStatus.DONE else "cancelled"
    raise Conflict(f"The task is closed already: it was {state}{by}.", code="closed")


def _refuse_strangers(project: Project, *, assignee: User | None, team: Team | None) -> None:
    if team is not None and team.project_id != project.pk:
        raise _stranger("team", f"There is no team {team.key!r} in this project.")
    if assignee is None or assignee.is_superuser:
        return
    if not assignee.memberships.filter(project=project).exists():
        raise _stranger("assignee", f"{assignee.email} is no member of this project.")


def _stranger(name: str, message: str) -> InvalidInput:
    return InvalidInput(
        message, problems=[Problem(code="unknown", message=message, path=f"/{name}")]
    )


def _record(act: str, task: Task, user: User | None, detail: dict[str, Any]) -> None:
    audit.record(act, actor=user, project=task.project, obj=task, detail=detail)
