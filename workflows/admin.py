"""Admin pages of what is designed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from leadsend.access.admin_lists import WordsFilter, own
from leadsend.access.admin_pages import AuditedAdmin, ReadOnlyAdmin, act_on_each, user_of
from workflows import publishing
from workflows.models import (
    DraftChange,
    Workflow,
    WorkflowEdge,
    WorkflowStep,
    WorkflowTemplate,
    WorkflowVariable,
    WorkflowVersion,
)


@admin.register(Workflow)
class WorkflowAdmin(ReadOnlyAdmin):
    """Workflows; they are edited as documents, by operations."""

    read_permission = "workflow.read"
    list_display = (
        "name",
        "project",
        "category",
        "is_active",
        "live_version",
        "owner",
        "updated_at",
    )
    list_filter = ("is_active", ("category", WordsFilter), own("project"))
    search_fields = ("name", "slug")
    list_select_related = ("project", "live_version", "owner")
    actions = ("retire", "revive")

    @admin.action(description="Switch off: events start no new runs", permissions=["view"])
    def retire(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Take the workflows out of use."""
        act_on_each(
            request,
            self,
            queryset,
            lambda row: publishing.retire(row, user=user_of(request)),
            permission="workflow.publish",
            done="Switched off",
        )

    @admin.action(description="Switch on again", permissions=["view"])
    def revive(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Put the workflows into use again."""
        act_on_each(
            request,
            self,
            queryset,
            lambda row: publishing.revive(row, user=user_of(request)),
            permission="workflow.publish",
            done="Switched on",
        )


@admin.register(DraftChange)
class DraftChangeAdmin(ReadOnlyAdmin):
    """Who changed which draft, and how; what undoes it is the editor's business."""

    read_permission = "workflow.read"
    hidden = ("undo",)
    list_display = ("workflow", "revision", "user", "at")
    list_filter = ("at", own("project"))
    search_fields = ("workflow__name", "user__email")
    list_select_related = ("workflow", "user")
    ordering = ("-id",)


@admin.register(WorkflowVersion)
class WorkflowVersionAdmin(ReadOnlyAdmin):
    """Published versions; the database keeps them as they are."""

    read_permission = "workflow.read"
    list_display = ("workflow", "version_num", "published_at", "published_by", "note")
    list_filter = ("published_at", own("project"))
    search_fields = ("workflow__name", "content_hash")
    list_select_related = ("workflow", "published_by")


@admin.register(WorkflowStep)
class WorkflowStepAdmin(ReadOnlyAdmin):
    """Steps of published versions."""

    read_permission = "workflow.read"
    list_display = ("slug", "kind", "action_key", "title", "version", "position")
    list_filter = ("kind", ("action_key", WordsFilter))
    search_fields = ("slug", "title", "version__workflow__name")
    list_select_related = ("version",)


@admin.register(WorkflowEdge)
class WorkflowEdgeAdmin(ReadOnlyAdmin):
    """Edges of published versions."""

    read_permission = "workflow.read"
    list_display = ("from_step", "branch_key", "to_step", "version")
    search_fields = ("from_step__slug", "to_step__slug", "version__workflow__name")
    list_select_related = ("from_step", "to_step", "version")


@admin.register(WorkflowVariable)
class WorkflowVariableAdmin(ReadOnlyAdmin):
    """Variables; a secret one has no value that could be shown."""

    hidden = ("sealed",)
    read_permission = "workflow.read"
    list_display = ("key", "type", "is_secret", "workflow", "updated_at")
    list_filter = ("type", "is_secret")
    search_fields = ("key", "workflow__name")
    list_select_related = ("workflow",)


@admin.register(WorkflowTemplate)
class WorkflowTemplateAdmin(AuditedAdmin):
    """Templates."""

    read_permission = "template.read"
    list_display = ("name", "category", "is_enabled", "updated_at")
    list_filter = ("is_enabled", ("category", WordsFilter))
    search_fields = ("name", "slug")
