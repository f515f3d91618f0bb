"""Admin pages of what starts work."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from leadsend.access.admin_pages import ReadOnlyAdmin, act_on_each
from triggers import replaying, subscribing
from triggers.models import (
    EventKey,
    InboxEntry,
    ScheduleTick,
    ScheduleTrigger,
    Subscription,
    TableChange,
    TriggerEvent,
    WatchedTable,
    WebhookEndpoint,
)


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin):
    """Subscriptions."""

    list_display = ("workflow", "trigger_key", "source", "is_active", "paused_at")
    list_filter = ("trigger_key", "is_active", "project")
    search_fields = ("workflow__name", "source", "=id")
    list_select_related = ("workflow",)
    actions = ("pause", "resume")

    @admin.action(description="Pause: events are kept and start nothing", permissions=["view"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Hold the subscriptions."""
        act_on_each(
            request,
            self,
            queryset,
            lambda row: subscribing.pause(row, user=_user(request)),
            permission="subscription.manage",
            done="Paused",
        )

    @admin.action(description="Resume", permissions=["view"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Let events start runs again."""
        act_on_each(
            request,
            self,
            queryset,
            lambda row: subscribing.resume(row, user=_user(request)),
            permission="subscription.manage",
            done="Resumed",
        )


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    """Webhook addresses; no secret, not even sealed, and the token only in part."""

    list_display = ("__str__", "workflow", "auth_mode", "is_active", "created_at")
    list_filter = ("auth_mode", "is_active", "project")
    search_fields = ("name", "workflow__name", "=token")
    list_select_related = ("workflow",)
    exclude = ("sealed_secret", "sealed_previous_secret", "auth_cfg")


@admin.register(ScheduleTrigger)
class ScheduleTriggerAdmin(ReadOnlyAdmin):
    """Schedules."""

    list_display = ("workflow", "cron", "timezone", "is_active", "next_due_at", "last_due_at")
    list_filter = ("is_active", "timezone", "project")
    search_fields = ("workflow__name", "cron")
    list_select_related = ("workflow",)


@admin.register(ScheduleTick)
class ScheduleTickAdmin(ReadOnlyAdmin):
    """Ticks fired and left out."""

    list_display = ("schedule", "tick_at", "event_id", "skipped_because")
    ordering = ("-tick_at",)
    list_select_related = ("schedule",)


@admin.register(TriggerEvent)
class TriggerEventAdmin(ReadOnlyAdmin):
    """Every event that arrived."""

    list_display = ("id", "trigger_key", "source", "dedupe_key", "received_at", "fate")
    list_filter = ("trigger_type", "trigger_key", "project")
    search_fields = ("=id", "=dedupe_key", "=source")
    ordering = ("-id",)
    actions = ("replay",)

    @admin.action(description="Replay: offer to the subscriptions anew", permissions=["view"])
    def replay(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Offer the events again."""
        act_on_each(
            request,
            self,
            queryset,
            lambda event: replaying.replay_event(event, user=_user(request)),
            permission="event.replay",
            done="Replayed",
        )


@admin.register(EventKey)
class EventKeyAdmin(ReadOnlyAdmin):
    """Identities of events."""

    list_display = ("key", "source", "event_id", "created_at")
    search_fields = ("=key", "=source")
    ordering = ("-created_at",)


@admin.register(InboxEntry)
class InboxEntryAdmin(ReadOnlyAdmin):
    """Events that dispatch has not looked at yet."""

    list_display = ("event_id", "received_at", "replay")


@admin.register(WatchedTable)
class WatchedTableAdmin(ReadOnlyAdmin):
    """Tables whose changes become events."""

    list_display = ("__str__", "project", "key_column", "operations", "created_at")
    search_fields = ("table_name",)
    list_select_related = ("project",)


@admin.register(TableChange)
class TableChangeAdmin(ReadOnlyAdmin):
    """Changes that were not taken in yet."""

    list_display = ("id", "op", "schema_name", "table_name", "row_key", "changed_at")


def _user(request: HttpRequest) -> Any:
    """Return the signed-in user; admin pages have no other visitors."""
    return request.user
