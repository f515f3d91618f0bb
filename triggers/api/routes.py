"""The resources of this app, for the router of the REST root: ``(path, viewset, basename)``."""

from __future__ import annotations

from triggers.api.events import EventViewSet, ReplayJobViewSet
from triggers.api.runs import RunViewSet
from triggers.api.schedules import ScheduleViewSet
from triggers.api.subscriptions import SubscriptionViewSet
from triggers.api.watched_tables import WatchedTableViewSet
from triggers.api.ways_in import EndpointViewSet, FormViewSet

ROUTES = (
    ("subscriptions", SubscriptionViewSet, "subscription"),
    ("webhook-endpoints", EndpointViewSet, "webhook-endpoint"),
    ("forms", FormViewSet, "form"),
    ("schedules", ScheduleViewSet, "schedule"),
    ("watched-tables", WatchedTableViewSet, "watched-table"),
    ("events", EventViewSet, "event"),
    ("replay-jobs", ReplayJobViewSet, "replay-job"),
    (r"workflows/(?P<workflow_id>[0-9a-fA-F-]{32,36})/run", RunViewSet, "workflow-run"),
)
