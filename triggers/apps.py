"""The app's registration with Django."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig


class TriggersConfig(AppConfig):
    """See the app's README."""

    name = "triggers"
    verbose_name = "What starts work"

    def ready(self) -> None:
        """Listen to workflows being published and retired."""
        # Models can be imported only now.
        import_module("triggers.receivers").connect()
