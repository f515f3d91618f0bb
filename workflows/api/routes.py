"""The resources of this app, for the router of the REST root: ``(path, viewset, basename)``."""

from __future__ import annotations

from workflows.api.rows import EdgeViewSet, StepViewSet, VariableViewSet
from workflows.api.versions import VersionViewSet
from workflows.api.workflows import WorkflowViewSet

ROUTES = (
    ("workflows", WorkflowViewSet, "workflow"),
    ("versions", VersionViewSet, "version"),
    ("steps", StepViewSet, "step"),
    ("edges", EdgeViewSet, "edge"),
    ("variables", VariableViewSet, "variable"),
)
