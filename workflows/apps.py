"""The app's registration with Django."""

from __future__ import annotations

from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    """See the app's README."""

    name = "workflows"
    verbose_name = "Workflows"
