"""Admin pages of what runs: to be looked at, and acted on by the same use cases as everywhere."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from leadsend.access.admin_pages import ReadOnlyAdmin, act_on_each
from runtime import executions, human_tasks
from runtime.models import Execution, ExecutionTimer, OutboxMail, StepExecution, Task, Worker


@admin.register(Execution)
class ExecutionAdmin(ReadOnlyAdmin):
    """Runs."""

    list_display = (
        "id",
        "business_key",
        "workflow",
        "status",
        "trigger_type",
        "created_at",
        "execution_time",
        "crash_count",
    )
    list_filter = ("status", "trigger_type", "project")
    search_fields = ("=id", "business_key")
    list_select_related = ("workflow",)
    ordering = ("-id",)
    actions = ("cancel", "pause", "resume", "retry")

    @admin.action(description="Cancel", permissions=["view"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """End the runs."""
        act_on_each(
            request,
            self,
            queryset,
            lambda run: executions.cancel(run, user=_user(request)),
            permission="execution.operate",
            done="Cancelled",
        )

    @admin.action(description="Pause", permissions=["view"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Hold the runs."""
        act_on_each(
            request,
            self,
            queryset,
            lambda run: executions.pause(run, user=_user(request)),
            permission="execution.operate",
            done="Paused",
        )

    @admin.action(description="Resume", permissions=["view"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Let the runs go on."""
        act_on_each(
            request,
            self,
            queryset,
            lambda run: executions.resume(run, user=_user(request)),
            permission="execution.operate",
            done="Resumed",
        )

    @admin.action(description="Retry as a new run", permissions=["view"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Start new runs that take over what was done."""
        act_on_each(
            request,
            self,
            queryset,
            lambda run: executions.retry(run, user=_user(request)),
            permission="execution.operate",
            done="Started again",
        )


@admin.register(StepExecution)
class StepExecutionAdmin(ReadOnlyAdmin):
    """Attempts of steps."""

    list_display = ("id", "step_id", "kind", "action_key", "status", "attempt", "execution_time")
    list_filter = ("status", "kind", "action_key")
    search_fields = ("=id",)
    ordering = ("-id",)


@admin.register(ExecutionTimer)
class ExecutionTimerAdmin(ReadOnlyAdmin):
    """When waiting runs go on."""

    list_display = ("execution_id", "due_at")
    ordering = ("due_at",)


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """Engine processes."""

    list_display = ("host", "pid", "started_at", "seen_at", "stopped_at")
    ordering = ("-seen_at",)


@admin.register(Task)
class TaskAdmin(ReadOnlyAdmin):
    """To-dos."""

    list_display = ("title", "status", "priority", "assignee", "team", "due_at", "business_key")
    list_filter = ("status", "priority", "team")
    search_fields = ("title", "business_key", "=id")
    list_select_related = ("assignee", "team")
    ordering = ("-id",)
    actions = ("complete",)

    @admin.action(description="Mark as done", permissions=["view"])
    def complete(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Complete the tasks."""
        act_on_each(
            request,
            self,
            queryset,
            lambda task: human_tasks.complete(task, user=_user(request), answer=None),
            permission="task.work",
            done="Done",
        )


@admin.register(OutboxMail)
class OutboxMailAdmin(ReadOnlyAdmin):
    """Mails sent or kept."""

    list_display = ("subject", "to", "mode", "created_at", "step_id")
    list_filter = ("mode", "project")
    search_fields = ("to", "subject", "message_id")
    ordering = ("-created_at",)


def _user(request: HttpRequest) -> Any:
    """Return the signed-in user; admin pages have no other visitors."""
    return request.user
