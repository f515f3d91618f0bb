"""What lists of this app can be narrowed by."""

from __future__ import annotations

from typing import ClassVar

import django_filters as filters
from django.db.models import QuerySet

from runtime.models import (
    BulkItem,
    BulkItemStatus,
    BulkJob,
    BulkStatus,
    Execution,
    ExecutionQuerySet,
    ExecutionStatus,
    Task,
    TaskQuerySet,
    TaskStatus,
)


class ExecutionFilter(filters.FilterSet):  # type: ignore[misc]  # no types
    """``?status=FAILED&status=TIMED_OUT`` keeps both; ``created_after`` and ``_before`` bound.

    ``?uncertain=true`` keeps what waits for a person's decision about a step, ``?dead_letter=true``
    what failed and was not tried again with success, ``?error_code=poison`` failures of one kind.
    """

    status = filters.MultipleChoiceFilter(choices=ExecutionStatus.choices)
    workflow = filters.UUIDFilter(field_name="workflow_id")
    workflow_id = filters.UUIDFilter()
    version_id = filters.UUIDFilter()
    project_id = filters.UUIDFilter()
    trigger_event_id = filters.UUIDFilter()
    retry_of = filters.UUIDFilter()
    parent_execution = filters.UUIDFilter()
    created_after = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")

    business_key = filters.CharFilter(method="keep_about")

    error_code = filters.CharFilter(field_name="error__code", max_length=80)
    uncertain = filters.BooleanFilter(method="keep_uncertain")
    dead_letter = filters.BooleanFilter(method="keep_dead_letters")

    class Meta:
        model = Execution
        fields: ClassVar[list[str]] = ["trigger_type", "trigger_key"]

    def keep_about(self, rows: ExecutionQuerySet, name: str, value: str) -> ExecutionQuerySet:
        """Keep runs of exactly this key."""
        return rows.about(value)

    def keep_uncertain(
        self, rows: ExecutionQuerySet, name: str, value: bool
    ) -> QuerySet[Execution]:
        """Keep or leave out what waits for somebody to say whether a step happened."""
        return rows.uncertain() if value else rows.exclude(pk__in=rows.uncertain().values("pk"))

    def keep_dead_letters(
        self, rows: ExecutionQuerySet, name: str, value: bool
    ) -> QuerySet[Execution]:
        """Keep or leave out what failed and is still to be put right."""
        found = rows.dead_letters()
        return found if value else rows.exclude(pk__in=found.values("pk"))


class BulkJobFilter(filters.FilterSet):  # type: ignore[misc]  # no types
    """``?status=RUNNING`` keeps what is being worked off."""

    status = filters.MultipleChoiceFilter(choices=BulkStatus.choices)
    project_id = filters.UUIDFilter()

    class Meta:
        model = BulkJob
        fields: ClassVar[list[str]] = ["act"]


class BulkItemFilter(filters.FilterSet):  # type: ignore[misc]  # no types
    """``?status=REFUSED`` keeps what was refused."""

    status = filters.MultipleChoiceFilter(choices=BulkItemStatus.choices)

    class Meta:
        model = BulkItem
        fields: ClassVar[list[str]] = []


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
