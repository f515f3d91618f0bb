"""What events can be chosen by: in lists, and to be replayed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, Final

import django_filters as filters
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from leadsend.lib import clock
from triggers.models import TriggerEvent

# How far back a search goes that names no time: what is found in the text has no index.
SEARCHED: Final = timedelta(days=7)


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
