"""Admin pages of what starts work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe

from leadsend.access.admin_lists import known, own
from leadsend.access.admin_pages import INSTALLATION, ReadOnlyAdmin, act_on_each, user_of
from registry.admin import trigger_types, ways_in
from triggers import coming_ticks, replay_jobs, replaying, rule_words, scheduling, subscribing
from triggers.models import (
    EventKey,
    HostedForm,
    InboxEntry,
    ReplayJob,
    ScheduleTick,
    ScheduleTrigger,
    Subscription,
    TableChange,
    TriggerEvent,
    WatchedTable,
    WebhookEndpoint,
    WebhookRefusal,
)


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin):
    """Subscriptions."""

    read_permission = "subscription.read"
    list_display = ("workflow", "trigger_key", "source", "is_active", "paused_at")
    list_filter = ("trigger_key", "is_active", own("project"))
    search_fields = ("workflow__name", "source")
    list_select_related = ("workflow",)
    actions = ("pause", "resume", "resume_with_held")

    @admin.action(description="Pause: events are kept and start nothing", permissions=["view"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Hold the subscriptions."""
        act_on_each(
            request,
            self,
            queryset,
            lambda row: subscribing.pause(row, user=user_of(request)),
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
            lambda row: subscribing.resume(row, user=user_of(request)),
            permission="subscription.manage",
            done="Resumed",
        )

    @admin.action(description="Resume, and replay what was held", permissions=["view"])
    def resume_with_held(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Let events start runs again, also those that came meanwhile."""
        act_on_each(
            request,
            self,
            queryset,
            lambda row: subscribing.resume_with_held(row, user=user_of(request)),
            permission="subscription.manage",
            done="Resumed",
        )


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    """Webhook addresses; no secret, not even sealed, and the token only in part."""

    hidden = ("token", "sealed_secret", "sealed_previous_secret", "auth_cfg")
    read_permission = "subscription.read"
    list_display = ("__str__", "workflow", "auth_mode", "is_active", "created_at")
    list_filter = ("auth_mode", "is_active", own("project"))
    search_fields = ("name", "workflow__name", "token__exact")
    list_select_related = ("workflow",)


@admin.register(WebhookRefusal)
class WebhookRefusalAdmin(ReadOnlyAdmin):
    """Requests to webhooks that started nothing."""

    read_permission = "event.read"
    list_display = ("received_at", "endpoint", "status", "code", "message", "count")
    list_filter = ("status", own("project"))
    ordering = ("-received_at",)
    list_select_related = ("endpoint",)


@admin.register(HostedForm)
class HostedFormAdmin(ReadOnlyAdmin):
    """Forms that LeadSend shows."""

    read_permission = "subscription.read"
    list_display = ("__str__", "workflow", "token", "is_active", "created_at")
    list_filter = ("is_active", own("project"))
    search_fields = ("workflow__name", "token__exact")
    list_select_related = ("workflow",)


@admin.register(ScheduleTrigger)
class ScheduleTriggerAdmin(ReadOnlyAdmin):
    """Schedules."""

    read_permission = "subscription.read"
    list_display = (
        *("workflow", "in_words", "timezone", "is_active", "paused_at"),
        *("next_due_at", "last_due_at"),
    )
    list_filter = ("is_active", "timezone", own("project"))
    search_fields = ("workflow__name", "cron")
    list_select_related = ("workflow",)
    readonly_fields = ("next_ten",)
    actions = ("pause", "resume", "run_now")

    @admin.display(description="when", ordering="cron")
    def in_words(self, row: ScheduleTrigger) -> str:
        """Say the rules in words."""
        return rule_words.all_words_of(row.cron)

    @admin.display(description="next ten times")
    def next_ten(self, row: ScheduleTrigger) -> str:
        """Show what is to come on the schedule's own clock, with its offset from UTC."""
        lines = [
            (
                f"{tick.at:%a %Y-%m-%d %H:%M:%S %z}",
                " (the clocks change)" if tick.is_other_offset else "",
                f" (left out: {tick.left_out})" if tick.left_out else "",
            )
            for tick in coming_ticks.of_schedule(row)
        ]
        return format_html_join(mark_safe("<br>"), "{}{}{}", lines) or "none"

    @admin.action(description="Pause: times fall out and are not made up for", permissions=["view"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Hold the schedules."""
        self._each(request, queryset, scheduling.pause, "Paused")

    @admin.action(description="Resume", permissions=["view"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Let them fire again."""
        self._each(request, queryset, scheduling.resume, "Resumed")

    @admin.action(description="Run now", permissions=["view"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Start their workflows."""
        self._each(request, queryset, scheduling.fire_now, "Started", "workflow.run")

    def _each(
        self,
        request: HttpRequest,
        queryset: QuerySet[Any],
        act: Callable[..., Any],
        done: str,
        permission: str = "subscription.manage",
    ) -> None:
        act_on_each(
            request,
            self,
            queryset,
            lambda row: act(row, user=user_of(request)),
            permission=permission,
            done=done,
        )


@admin.register(ScheduleTick)
class ScheduleTickAdmin(ReadOnlyAdmin):
    """Ticks fired and left out."""

    read_permission = "subscription.read"
    list_display = ("schedule", "tick_at", "event_id", "skipped_because")
    ordering = ("-tick_at",)
    list_select_related = ("schedule",)


@admin.register(TriggerEvent)
class TriggerEventAdmin(ReadOnlyAdmin):
    """Every event that arrived."""

    read_permission = "event.read"
    list_display = ("id", "trigger_key", "source", "dedupe_key", "received_at", "fate")
    list_filter = (
        known("trigger_type", "way in", ways_in),
        known("trigger_key", "trigger", trigger_types),
        own("project"),
    )
    search_fields = ("dedupe_key__exact", "source__exact")
    search_help_text = "An id, a whole event key or a whole source."
    ordering = ("-id",)
    actions = ("replay",)

    @admin.action(description="Replay: offer to the subscriptions anew", permissions=["view"])
    def replay(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Offer the events again."""
        act_on_each(
            request,
            self,
            queryset,
            lambda event: replaying.replay_event(event, user=user_of(request)),
            permission="event.replay",
            done="Replayed",
        )


@admin.register(ReplayJob)
class ReplayJobAdmin(ReadOnlyAdmin):
    """Replays of many events."""

    read_permission = "event.read"
    list_display = ("__str__", "project", "status", "done", "refused", "created_at", "ended_at")
    list_filter = ("status", own("project"))
    ordering = ("-id",)
    list_select_related = ("project",)
    actions = ("stop",)

    @admin.action(description="Stop: what was replayed stays", permissions=["view"])
    def stop(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Stop the jobs."""
        act_on_each(
            request,
            self,
            queryset,
            lambda job: replay_jobs.cancel(job, user=user_of(request)),
            permission="event.replay",
            done="Stopped",
        )


@admin.register(EventKey)
class EventKeyAdmin(ReadOnlyAdmin):
    """Identities of events."""

    read_permission = "event.read"
    list_display = ("key", "source", "event_id", "created_at")
    search_fields = ("key__exact", "source__exact")
    ordering = ("-created_at",)


@admin.register(InboxEntry)
class InboxEntryAdmin(ReadOnlyAdmin):
    """Events that dispatch has not looked at yet."""

    read_permission = INSTALLATION
    list_display = ("event_id", "received_at", "replay")


@admin.register(WatchedTable)
class WatchedTableAdmin(ReadOnlyAdmin):
    """Tables whose changes become events."""

    read_permission = "subscription.read"
    list_display = ("__str__", "project", "key_column", "operations", "created_at")
    search_fields = ("table_name",)
    list_select_related = ("project",)


@admin.register(TableChange)
class TableChangeAdmin(ReadOnlyAdmin):
    """Changes that were not taken in yet."""

    read_permission = INSTALLATION
    list_display = ("id", "op", "schema_name", "table_name", "row_key", "changed_at")
