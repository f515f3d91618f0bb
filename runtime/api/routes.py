"""The resources of this app, for the router of the REST root: ``(path, viewset, basename)``."""

from __future__ import annotations

from runtime.api.bulk import BulkJobViewSet
from runtime.api.executions import ExecutionViewSet
from runtime.api.tasks import TaskViewSet

ROUTES = (
    ("executions", ExecutionViewSet, "execution"),
    ("bulk-jobs", BulkJobViewSet, "bulk-job"),
    ("tasks", TaskViewSet, "task"),
)
