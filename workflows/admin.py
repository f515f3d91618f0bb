"""Admin pages of what is designed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from leadsend.access.admin_pages import PlainAdmin, ReadOnlyAdmin, act_on_each
from workflows import publishing
from workflows.models import (
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

    list_display = (
        "name",
        "project",
        "category",
        "is_active",
        "live_version",
        "owner",
        "updated_at",
    )
    list_filter = ("is_active", "category", "project")
    search_fields = ("name", "slug", "=id")
    list_select_related = ("project", "live_version", "owner")
    actions = ("retire", "revive")

    @admin.action(description="Switch off: events start no new runs", permissions=["view"])
    def retire(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Take the workflows out of use."""
        act_on_each(
            request,
            self,
            queryset,
            publishing.retire,
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
            publishing.revive,
            permission="workflow.publish",
            done="Switched on",
        )


@admin.register(WorkflowVersion)
class WorkflowVersionAdmin(ReadOnlyAdmin):
    """Published versions; the database keeps them as they are."""

    list_display = ("workflow", "version_num", "published_at", "published_by", "note")
    list_filter = ("project",)
    search_fields = ("workflow__name", "content_hash", "=id")
    list_select_related = ("workflow", "published_by")
    date_hierarchy = "published_at"


@admin.register(WorkflowStep)
class WorkflowStepAdmin(ReadOnlyAdmin):
    """Steps of published versions."""

    list_display = ("slug", "kind", "action_key", "title", "version", "position")
    list_filter = ("kind", "action_key")
    search_fields = ("slug", "title", "version__workflow__name")
    list_select_related = ("version",)


@admin.register(WorkflowEdge)
class WorkflowEdgeAdmin(ReadOnlyAdmin):
    """Edges of published versions."""

    list_display = ("from_step", "branch_key", "to_step", "version")
    search_fields = ("from_step__slug", "to_step__slug", "version__workflow__name")
    list_select_related = ("from_step", "to_step", "version")


@admin.register(WorkflowVariable)
class WorkflowVariableAdmin(ReadOnlyAdmin):
    """Variables; a secret one has no value that could be shown."""

    list_display = ("key", "type", "is_secret", "workflow", "updated_at")
    list_filter = ("type", "is_secret")
    search_fields = ("key", "workflow__name")
    list_select_related = ("workflow",)
    exclude = ("sealed",)


@admin.register(WorkflowTemplate)
class WorkflowTemplateAdmin(PlainAdmin):
    """Templates."""

    list_display = ("name", "category", "is_enabled", "updated_at")
    list_filter = ("is_enabled", "category")
    search_fields = ("name", "slug")
