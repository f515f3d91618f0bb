"""The app of users, projects and what they may."""

from __future__ import annotations

from django.apps import AppConfig


class AccessConfig(AppConfig):
    """Users, projects, teams, roles, tokens, audit."""

    name = "leadsend.access"
    label = "access"
    verbose_name = "People and access"
    default_auto_field = "django.db.models.BigAutoField"
