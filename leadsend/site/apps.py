"""The app of what spans apps: home, set-up, admin dashboard."""

from __future__ import annotations

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """Pages and commands that span apps."""

    name = "leadsend.site"
    label = "site"
    verbose_name = "Site"
