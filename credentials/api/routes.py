"""The resources of this app, for the router of the REST root: ``(path, viewset, basename)``."""

from __future__ import annotations

from credentials.api.views import CredentialViewSet

ROUTES = (("credentials", CredentialViewSet, "credential"),)
