"""The app's registration with Django."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register

from registry import checks


class RegistryConfig(AppConfig):
    """See the app's README."""

    name = "registry"
    verbose_name = "What can be used"

    def ready(self) -> None:
        """Let ``manage.py check`` look at every contract."""
        register(checks.check_contracts)
