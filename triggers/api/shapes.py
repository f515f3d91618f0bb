"""What the API answers with, as plain JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime import payloads
from triggers import endpoints, hosted_forms, rule_words
from triggers.coming_ticks import Coming
from triggers.deliveries import Delivery
from triggers.models import (
    HostedForm,
    ReplayJob,
    ScheduleTrigger,
    Subscription,
    TriggerEvent,
    WatchedTable,
    WebhookEndpoint,
)
from triggers.row_triggers import TableName
from triggers.trying_filters import Tried

JSON = dict[str, Any]


def subscription(row: Subscription) -> JSON:
    """Return a subscription."""
    return {
        "id": row.pk,
        "project_id": row.project_id,
        "workflow_id": row.workflow_id,
        "trigger_id": row.trigger_id,
        "trigger_key": row.trigger_key,
        "source": row.source,
        "cfg": row.cfg,
        "filter_conditions": row.filter_conditions,
        "is_active": row.is_active,
        "paused_at": row.paused_at,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def endpoint(row: WebhookEndpoint, *, secret: str = "") -> JSON:
    """Return an endpoint; its secret only when it was made in this request."""
    return {
        **endpoints.shown(row, secret=secret),
        "id": row.pk,
        "project_id": row.project_id,
        "workflow_id": row.workflow_id,
        "name": row.name,
        "methods": row.methods,
        "event_key": row.event_key_template,
        "is_active": row.is_active,
        "previous_valid_until": row.previous_valid_until,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def form(row: HostedForm) -> JSON:
    """Return a form that LeadSend shows."""
    return {
        "id": row.pk,
        "project_id": row.project_id,
        "workflow_id": row.workflow_id,
        "trigger_id": row.trigger_id,
        "title": str(row),
        "url": hosted_forms.address(row),
        "is_active": row.is_active,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def schedule(row: ScheduleTrigger) -> JSON:
    """Return a schedule; times are UTC."""
    return {
        "id": row.pk,
        "project_id": row.project_id,
        "workflow_id": row.workflow_id,
        "trigger_id": row.trigger_id,
        "cron": row.cron,
        "timezone": row.timezone,
        "words": rule_words.all_words_of(row.cron),
        "missed": row.missed_policy,
        "jitter_s": row.jitter_s,
        "skip_holidays": row.skips_holidays,
        "calendar": row.calendar_key,
        "is_active": row.is_active,
        "paused_at": row.paused_at,
        "next_due_at": row.next_due_at,
        "last_due_at": row.last_due_at,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def coming(rules: str, ticks: Sequence[Coming]) -> JSON:
    """Return what is to come of a schedule, on its own clock."""
    return {
        "words": rule_words.all_words_of(rules),
        "ticks": [
            {
                "at": tick.at.isoformat(),
                "left_out": tick.left_out,
                "clocks_change": tick.is_other_offset,
            }
            for tick in ticks
        ],
    }


def delivery(one: Delivery) -> JSON:
    """Return what came of a request to a webhook."""
    return {
        "received_at": one.received_at,
        "status": one.status,
        "code": one.code,
        "message": one.message,
        "event_id": one.event_id,
        "count": one.count,
    }


def watched_table(row: WatchedTable) -> JSON:
    """Return what is watched of a table."""
    return {
        "id": row.pk,
        "project_id": row.project_id,
        "table": str(TableName(schema=row.schema_name, table=row.table_name)),
        "operations": row.operations,
        "columns": row.columns,
        "key_column": row.key_column,
        "is_by_hand": row.is_by_hand,
        "waiting_since": row.waiting_since,
        "created_at": row.created_at,
    }


def replay_job(row: ReplayJob) -> JSON:
    """Return a replay of many events."""
    return {
        "id": row.pk,
        "project_id": row.project_id,
        "filter": row.filter,
        "subscription_id": row.subscription_id,
        "per_second": row.per_second,
        "status": row.status,
        "total": row.total,
        "done": row.done,
        "refused": row.refused,
        "error": row.error,
        "created_at": row.created_at,
        "ended_at": row.ended_at,
    }


def tried(found: Tried) -> JSON:
    """Return what a filter would have done."""
    return {
        "looked_at": found.looked_at,
        "matched": found.matched,
        "failed": found.failed,
        "events": [
            {
                "event_id": one.event.pk,
                "received_at": one.event.received_at,
                "matched": one.matched,
                "reason": one.reason,
            }
            for one in found.shown
        ],
    }


def event_row(row: TriggerEvent) -> JSON:
    """Return an event as lists show it, without its data."""
    return {
        "id": row.pk,
        "project_id": row.project_id,
        "trigger_key": row.trigger_key,
        "trigger_type": row.trigger_type,
        "source": row.source,
        "event_key": row.dedupe_key,
        "is_sample": row.is_sample,
        "fate": row.fate,
        "received_at": row.received_at,
    }


def event_detail(row: TriggerEvent, execution_ids: list[Any]) -> JSON:
    """Return an event with its data and what it started."""
    return {
        **event_row(row),
        "data": payloads.whole(row.data, project_id=row.project_id),
        "request": payloads.whole(row.request, project_id=row.project_id),
        "execution_ids": execution_ids,
    }
