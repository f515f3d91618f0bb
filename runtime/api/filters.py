"""What lists of this app can be narrowed by."""

from __future__ import annotations

from typing import ClassVar

import django_filters as filters
from django.db.models import QuerySet

from runtime.models import (
    Execution,
    ExecutionQuerySet,
    ExecutionStatus,
    Task,
    TaskQuerySet,
    TaskStatus,
)


class ExecutionFilter(filters.FilterSet):  # type: ignore[misc]  # no types
    """``?status=FAILED&status=TIMED_OUT`` keeps both; ``created_after`` and ``_before`` bound."""

    status = filters.MultipleChoiceFilter(choices=ExecutionStatus.choices)
    workflow = filters.UUIDFilter(field_name="workflow_id")
    workflow_id = filters.UUIDFilter()
    version_id = filters.UUIDFilter()
    project_id = filters.UUIDFilter()
    trigger_event_id = filters.UUIDFilter()
    retry_of = filters.UUIDFilter()
    created_after = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")

    business_key = filters.CharFilter(method="keep_about")

    class Meta:
        model = Execution
        fields: ClassVar[list[str]] = ["trigger_type", "trigger_key"]

    def keep_about(self, rows: ExecutionQuerySet, name: str, value: str) -> ExecutionQuerySet:
        """Keep runs of exactly this key."""
        return rows.about(value)


class TaskFilter(filters.FilterSet):  # type: ignore[misc]  # no types
    """``?mine=true`` keeps what is given to the asking person or to one of their teams."""

    status = filters.MultipleChoiceFilter(choices=TaskStatus.choices)
    mine = filters.BooleanFilter(method="keep_mine")
    team = filters.CharFilter(field_name="team__key")
    assignee_id = filters.UUIDFilter()
    project_id = filters.UUIDFilter()
    workflow_id = filters.UUIDFilter()
    execution_id = filters.UUIDFilter()

    class Meta:
        model = Task
        fields: ClassVar[list[str]] = ["business_key", "priority"]

    def keep_mine(self, tasks: TaskQuerySet, name: str, value: bool) -> QuerySet[Task]:
        """Keep or leave out what the asking person has to do."""
        mine = Task.objects.mine(self.request.user).values("pk")
        return tasks.filter(pk__in=mine) if value else tasks.exclude(pk__in=mine)
