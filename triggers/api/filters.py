"""What lists of this app can be narrowed by."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, Final

import django_filters as filters
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from leadsend.lib import clock
from triggers.models import (
    HostedForm,
    ScheduleTrigger,
    Subscription,
    TriggerEvent,
    WebhookEndpoint,
)

# How far back a search goes that names no time: what is found in the text has no index.
SEARCHED: Final = timedelta(days=7)


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


class EventFilter(filters.FilterSet):  # type: ignore[misc]  # no types
    """``?fate=filtered_out`` keeps what started nothing for this reason.

    ``?search=`` looks for a text in the data of the last seven days, or of the time that is named.
    """

    project_id = filters.UUIDFilter()
    event_key = filters.CharFilter(field_name="dedupe_key")
    fate = filters.CharFilter(field_name="fate__code")
    received_after = filters.IsoDateTimeFilter(field_name="received_at", lookup_expr="gte")
    received_before = filters.IsoDateTimeFilter(field_name="received_at", lookup_expr="lt")
    search = filters.CharFilter(method="with_text", max_length=200)

    def with_text(self, rows: QuerySet[Any], _name: str, text: str) -> QuerySet[Any]:
        """Keep events whose data holds the text; what lies in the object storage is not read."""
        if not self.form.cleaned_data.get("received_after"):
            rows = rows.filter(received_at__gte=clock.now() - SEARCHED)
        found: QuerySet[Any] = rows.annotate(text=Cast("data", TextField()))
        return found.filter(text__icontains=text)

    class Meta:
        model = TriggerEvent
        fields: ClassVar[list[str]] = ["trigger_key", "trigger_type", "source"]
