"""What every admin page shares: it shows only what the user may see, and counts no big tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from leadsend.access import policy
from leadsend.lib.errors import LeadSendError

# Generic for the type checker only.
if TYPE_CHECKING:
    PlainAdmin = admin.ModelAdmin[Any]
else:
    PlainAdmin = admin.ModelAdmin


class ScopedAdmin(PlainAdmin):
    """Rows of the user's projects. Tables without a project are shown whole to staff."""

    show_full_result_count = False
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Start from what the user may see."""
        queryset = super().get_queryset(request)
        scoped = getattr(queryset, "visible_to", None)
        return scoped(request.user) if scoped else queryset


class ReadOnlyAdmin(ScopedAdmin):
    """For rows that only the product writes: they can be looked at, and acted on by actions."""

    actions_selection_counter = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: such rows come about by use."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: their state changes by acts only."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: retention deletes."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Let all staff look at what their projects hold."""
        return bool(request.user.is_active and request.user.is_staff)


def act_on_each(
    request: HttpRequest,
    model_admin: PlainAdmin,
    rows: Iterable[Any],
    act: Callable[[Any], object],
    *,
    permission: str,
    done: str,
) -> None:
    """Call a use case for each row the user may do this with; say what worked and what was refused."""
    count = 0
    for row in rows:
        try:
            policy.require(request.user, permission, row.project_id)
            act(row)
        except LeadSendError as refusal:
            model_admin.message_user(request, f"{row}: {refusal.message}", messages.WARNING)
        else:
            count += 1
    model_admin.message_user(request, f"{done}: {count}.", messages.SUCCESS)
