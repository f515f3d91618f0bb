"""The app of what spans apps: home, set-up, admin dashboard."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """Pages and commands that span apps."""

    name = "leadsend.site"
    label = "site"
    verbose_name = "Site"

    def ready(self) -> None:
        """Register the start-up checks of the whole project, which stand above every app."""
        import_module("leadsend.checks")
