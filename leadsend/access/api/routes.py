"""The resources of this app, for the router of the REST root: ``(path, viewset, basename)``."""

from __future__ import annotations

from leadsend.access.api.views import (
    AuditRoutes,
    MemberRoutes,
    ProjectRoutes,
    TeamRoutes,
    TokenRoutes,
)

ROUTES = (
    ("projects", ProjectRoutes, "project"),
    ("members", MemberRoutes, "member"),
    ("teams", TeamRoutes, "team"),
    ("tokens", TokenRoutes, "token"),
    ("audit", AuditRoutes, "audit"),
)
