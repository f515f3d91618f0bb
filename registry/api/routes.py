"""The resources of this app, for the router of the REST root: ``(path, viewset, basename)``."""

from __future__ import annotations

from registry.api.views import ActionViewSet, CredentialTypeViewSet, TriggerTypeViewSet

ROUTES = (
    ("actions", ActionViewSet, "action"),
    ("trigger-types", TriggerTypeViewSet, "trigger-type"),
    ("credential-types", CredentialTypeViewSet, "credential-type"),
)
