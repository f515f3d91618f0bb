"""Admin pages of what runs: to be looked at, and acted on by the same use cases as everywhere."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ActionForm
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from leadsend.access.admin_lists import known, own
from leadsend.access.admin_pages import (
    INSTALLATION,
    AuditedAdmin,
    ReadOnlyAdmin,
    act_on_each,
    user_of,
)
from registry.admin import action_types, ways_in
from runtime import bulk, circuits, executions, human_tasks
from runtime.deciding import Decision
from runtime.models import (
    BulkItem,
    BulkJob,
    Circuit,
    ConcurrencyTurn,
    Execution,
    ExecutionBatch,
    ExecutionQuerySet,
    ExecutionTimer,
    ExecutionWait,
    OutboxMail,
    RateLimit,
    StepExecution,
    Task,
    WebhookAnswer,
    Worker,
)


class ReasonForm(ActionForm):
    """The bar of actions, with the reason that a decision needs."""

    reason = forms.CharField(required=False, max_length=1000, label="Reason:")


class UncertainFilter(admin.SimpleListFilter):
    """Runs that wait until a person decides about a step, and failures that are not put right."""

    title = "what is to do"
    parameter_name = "todo"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices."""
        return [("uncertain", "Waits for a decision"), ("dead_letter", "Failed, not put right")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep what is chosen."""
        rows = cast("ExecutionQuerySet", queryset)
        if self.value() == "uncertain":
            return rows.uncertain()
        return rows.dead_letters() if self.value() == "dead_letter" else rows


@admin.register(Execution)
class ExecutionAdmin(ReadOnlyAdmin):
    """Runs."""

    read_permission = "execution.read"
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
    list_filter = (
        "status",
        UncertainFilter,
        known("trigger_type", "started by", ways_in),
        own("project"),
    )
    search_fields = ("business_key__exact",)
    search_help_text = "An id, or a whole business key."
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
            lambda run: executions.cancel(run, user=user_of(request)),
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
            lambda run: executions.pause(run, user=user_of(request)),
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
            lambda run: executions.resume(run, user=user_of(request)),
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
            lambda run: executions.retry(run, user=user_of(request)),
            permission="execution.operate",
            done="Started again",
        )


@admin.register(StepExecution)
class StepExecutionAdmin(ReadOnlyAdmin):
    """Attempts of steps; with the status Uncertain, those that wait for a person's decision."""

    action_form = ReasonForm
    actions = ("it_happened", "run_again", "count_as_failed")

    read_permission = "execution.read"
    list_display = ("id", "step_id", "kind", "action_key", "status", "attempt", "execution_time")
    list_filter = ("status", "kind", known("action_key", "action", action_types), own("project"))
    search_fields = ("id",)
    search_help_text = "The id of a run or of one attempt."
    ordering = ("-id",)

    @admin.action(description="Uncertain: it happened", permissions=["view"])
    def it_happened(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Say that the steps happened: their runs go on behind them."""
        self._decide(request, queryset, "done")

    @admin.action(description="Uncertain: it did not happen, run it again", permissions=["view"])
    def run_again(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Say that the steps did not happen: they are done under a new key."""
        self._decide(request, queryset, "run_again")

    @admin.action(description="Uncertain: count it as failed", permissions=["view"])
    def count_as_failed(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Count the steps as failed."""
        self._decide(request, queryset, "failed")

    def _decide(self, request: HttpRequest, queryset: QuerySet[Any], decision: Decision) -> None:
        reason = request.POST.get("reason", "").replace("\0", "")[:1000]
        act_on_each(
            request,
            self,
            queryset,
            lambda row: executions.decide_uncertain(row, decision, reason, user_of(request)),
            permission="execution.operate",
            done="Decided",
        )

    def with_id(self, queryset: QuerySet[Any], wanted: UUID) -> QuerySet[Any]:
        """Keep the attempt with this id, or all of the run with this id."""
        of_run = StepExecution.objects.of_execution(wanted).values("pk")
        return queryset.filter(Q(pk=wanted) | Q(pk__in=of_run))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find nothing by words: that would read every month."""
        found, may_repeat = super().get_search_results(request, queryset, "")
        try:
            return self.with_id(found, UUID(search_term)) if search_term else found, may_repeat
        except ValueError:
            return found.none(), may_repeat


@admin.register(BulkJob)
class BulkJobAdmin(ReadOnlyAdmin):
    """Acts on many runs."""

    read_permission = "execution.read"
    list_display = ("id", "act", "status", "total", "done", "refused", "created_by", "created_at")
    list_filter = ("status", "act", own("project"))
    list_select_related = ("created_by",)
    ordering = ("-id",)
    actions = ("stop",)

    @admin.action(description="Stop", permissions=["view"])
    def stop(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Stop the jobs; what they did stays."""
        act_on_each(
            request,
            self,
            queryset,
            lambda job: bulk.cancel(job, user=user_of(request)),
            permission="execution.operate",
            done="Stopped",
        )


@admin.register(BulkItem)
class BulkItemAdmin(ReadOnlyAdmin):
    """What became of each run of an act on many."""

    read_permission = INSTALLATION
    list_display = ("id", "job", "execution_id", "status", "message", "result_id")
    list_filter = ("status",)
    list_select_related = ("job",)
    ordering = ("-id",)


@admin.register(ExecutionBatch)
class ExecutionBatchAdmin(ReadOnlyAdmin):
    """Runs that began just now and have no rows of their own yet."""

    read_permission = INSTALLATION
    list_display = ("id", "worker_id", "claimed_at", "lease_until")
    ordering = ("-id",)


@admin.register(ConcurrencyTurn)
class ConcurrencyTurnAdmin(ReadOnlyAdmin):
    """Whose turn it is, of the runs that share a key."""

    read_permission = INSTALLATION
    list_display = ("execution_id", "key", "place", "most", "is_held", "is_ready", "is_strict")
    list_filter = ("is_held", "is_ready")
    search_fields = ("key",)
    ordering = ("place",)


@admin.register(ExecutionTimer)
class ExecutionTimerAdmin(ReadOnlyAdmin):
    """When waiting runs go on."""

    read_permission = INSTALLATION
    list_display = ("execution_id", "due_at")
    ordering = ("due_at",)


@admin.register(ExecutionWait)
class ExecutionWaitAdmin(ReadOnlyAdmin):
    """What waiting runs wait for."""

    read_permission = INSTALLATION
    list_display = ("execution_id", "step_id", "kind", "topic", "key", "created_at", "answered_at")
    list_filter = ("kind",)
    search_fields = ("key",)
    ordering = ("-created_at",)


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """Engine processes."""

    read_permission = INSTALLATION
    list_display = ("host", "pid", "started_at", "seen_at", "stopped_at")
    ordering = ("-seen_at",)


@admin.register(RateLimit)
class RateLimitAdmin(AuditedAdmin):
    """How often hosts and credentials may be called."""

    read_permission = INSTALLATION
    list_display = ("key", "amount", "period_s")
    fields = ("key", "amount", "period_s")
    search_fields = ("key",)
    ordering = ("key",)


@admin.register(Circuit)
class CircuitAdmin(ReadOnlyAdmin):
    """Hosts and credentials that failed and have not worked since."""

    read_permission = "execution.read"
    list_display = ("name", "project", "failures", "failed_at", "open_until")
    list_filter = (own("project"),)
    list_select_related = ("project",)
    search_fields = ("name",)
    ordering = ("-failed_at",)
    actions = ("reset",)

    @admin.action(description="Send again now", permissions=["view"])
    def reset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Forget the failures."""
        act_on_each(
            request,
            self,
            queryset,
            lambda circuit: circuits.reset(circuit, user=user_of(request)),
            permission="execution.operate",
            done="Reset",
        )


@admin.register(Task)
class TaskAdmin(ReadOnlyAdmin):
    """To-dos."""

    read_permission = "task.read"
    list_display = ("title", "status", "priority", "assignee", "team", "due_at", "business_key")
    list_filter = ("status", "priority", own("team"), own("project"))
    search_fields = ("title", "business_key")
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
            lambda task: human_tasks.complete(task, user=user_of(request), answer=None),
            permission="task.work",
            done="Done",
        )


@admin.register(OutboxMail)
class OutboxMailAdmin(ReadOnlyAdmin):
    """Mails sent or kept."""

    read_permission = "mail.read"
    list_display = ("subject", "to", "mode", "created_at", "step_id")
    list_filter = ("mode", own("project"))
    search_fields = ("to", "subject", "message_id")
    ordering = ("-created_at",)


@admin.register(WebhookAnswer)
class WebhookAnswerAdmin(ReadOnlyAdmin):
    """What runs answered to whoever called their webhook."""

    read_permission = "execution.read"
    list_display = ("execution_id", "status", "is_text", "created_at")
    list_filter = ("status", own("project"))
    search_fields = ("execution_id__exact",)
    ordering = ("-pk",)
