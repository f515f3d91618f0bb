"""The app's registration with Django."""

from __future__ import annotations

from django.apps import AppConfig


class RuntimeConfig(AppConfig):
    """See the app's README."""

    name = "runtime"
    verbose_name = "Runs"
