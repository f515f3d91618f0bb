"""What lists of this app can be narrowed by."""

from __future__ import annotations

from typing import ClassVar

import django_filters as filters

from workflows.models import (
    Workflow,
    WorkflowEdge,
    WorkflowStep,
    WorkflowVariable,
    WorkflowVersion,
)


class WorkflowFilter(filters.FilterSet):  # type: ignore[misc]  # no types
    """``?search=`` looks into names; the rest is exact."""

    search = filters.CharFilter(field_name="name", lookup_expr="icontains")
    is_live = filters.BooleanFilter(field_name="live_version", lookup_expr="isnull", exclude=True)

    class Meta:
        model = Workflow
        fields: ClassVar[list[str]] = ["is_active", "category", "slug", "project_id"]


class VersionFilter(filters.FilterSet):  # type: ignore[misc]  # no types
    """Versions of one workflow, or with one content."""

    class Meta:
        model = WorkflowVersion
        fields: ClassVar[list[str]] = ["workflow_id", "version_num", "content_hash"]


class StepFilter(filters.FilterSet):  # type: ignore[misc]  # no types
    """Steps of one version, kind or action."""

    class Meta:
        model = WorkflowStep
        fields: ClassVar[list[str]] = ["version_id", "kind", "action_key"]


class EdgeFilter(filters.FilterSet):  # type: ignore[misc]  # no types
    """Edges of one version, or of one step."""

    class Meta:
        model = WorkflowEdge
        fields: ClassVar[list[str]] = ["version_id", "from_step_id", "to_step_id", "branch_key"]


class VariableFilter(filters.FilterSet):  # type: ignore[misc]  # no types
    """Variables of one workflow."""

    class Meta:
        model = WorkflowVariable
        fields: ClassVar[list[str]] = ["workflow_id", "key", "is_secret"]
