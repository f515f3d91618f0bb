"""The app's registration with Django."""

from __future__ import annotations

from django.apps import AppConfig


class CredentialsConfig(AppConfig):
    """See the app's README."""

    name = "credentials"
    verbose_name = "Connections"
