"""The app's registration with Django."""

from __future__ import annotations

from django.apps import AppConfig


class TriggersConfig(AppConfig):
    """See the app's README."""

    name = "triggers"
    verbose_name = "What starts work"
