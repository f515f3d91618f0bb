"""The app's registration with Django."""

from __future__ import annotations

from django.apps import AppConfig


class RegistryConfig(AppConfig):
    """See the app's README."""

    name = "registry"
    verbose_name = "What can be used"
