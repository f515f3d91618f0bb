"""What lists of this app can be narrowed by."""

from __future__ import annotations

from typing import ClassVar

import django_filters as filters

from triggers.models import (
    HostedForm,
    ScheduleTrigger,
    Subscription,
    WebhookEndpoint,
)


class SubscriptionFilter(filters.FilterSet):  # type: ignore[misc]  # no types
    """``?is_paused=true`` keeps those that are held."""

    workflow_id = filters.UUIDFilter()
    project_id = filters.UUIDFilter()
    is_paused = filters.BooleanFilter(field_name="paused_at", lookup_expr="isnull", exclude=True)

    class Meta:
        model = Subscription
        fields: ClassVar[list[str]] = ["trigger_key", "is_active", "source"]


class EndpointFilter(filters.FilterSet):  # type: ignore[misc]  # no types
    """Endpoints of one workflow or project."""

    workflow_id = filters.UUIDFilter()
    project_id = filters.UUIDFilter()

    class Meta:
        model = WebhookEndpoint
        fields: ClassVar[list[str]] = ["auth_mode", "is_active"]


class FormFilter(filters.FilterSet):  # type: ignore[misc]  # no types
    """Forms of one workflow or project."""

    workflow_id = filters.UUIDFilter()
    project_id = filters.UUIDFilter()

    class Meta:
        model = HostedForm
        fields: ClassVar[list[str]] = ["is_active"]


class ScheduleFilter(filters.FilterSet):  # type: ignore[misc]  # no types
    """Schedules of one workflow or project."""

    workflow_id = filters.UUIDFilter()
    project_id = filters.UUIDFilter()

    class Meta:
        model = ScheduleTrigger
        fields: ClassVar[list[str]] = ["is_active", "timezone"]
