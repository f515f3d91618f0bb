"""What starts work: subscriptions, the ways in, and every event that ever arrived."""

from __future__ import annotations

from triggers.models.events import (
    EventKey,
    InboxEntry,
    ReplayJob,
    TriggerEvent,
)
from triggers.models.schedules import (
    MissedPolicy,
    ScheduleTick,
    ScheduleTrigger,
)
from triggers.models.subscriptions import (
    Subscription,
    SubscriptionQuerySet,
)
from triggers.models.tables import (
    TableChange,
    WatchedTable,
)
from triggers.models.ways_in import (
    AnswerMode,
    AuthMode,
    HostedForm,
    WebhookEndpoint,
    WebhookRefusal,
)

__all__ = [
    "AnswerMode",
    "AuthMode",
    "EventKey",
    "HostedForm",
    "InboxEntry",
    "MissedPolicy",
    "ReplayJob",
    "ScheduleTick",
    "ScheduleTrigger",
    "Subscription",
    "SubscriptionQuerySet",
    "TableChange",
    "TriggerEvent",
    "WatchedTable",
    "WebhookEndpoint",
    "WebhookRefusal",
]
