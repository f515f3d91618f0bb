"""Admin pages of the catalogue: entries come from the code, admin may switch them off."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from leadsend.access.admin_pages import PlainAdmin
from registry.models import ActionEntry, CredentialTypeEntry, TriggerEntry


class EntryAdmin(PlainAdmin):
    """One entry: everything is shown, one field can be changed."""

    list_display = ("key", "title", "version", "is_enabled", "is_deprecated")
    list_filter = ("is_enabled", "is_deprecated")
    search_fields = ("key", "title")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Leave only the switch to be changed."""
        return [field.name for field in self.model._meta.fields if field.name != "is_enabled"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: entries come from the code."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: published versions may name the entry."""
        return False


@admin.register(ActionEntry)
class ActionEntryAdmin(EntryAdmin):
    """Actions."""

    list_display = (*EntryAdmin.list_display, "category", "delivery")
    list_filter = (*EntryAdmin.list_filter, "category", "delivery")


@admin.register(TriggerEntry)
class TriggerEntryAdmin(EntryAdmin):
    """Trigger types."""


@admin.register(CredentialTypeEntry)
class CredentialTypeEntryAdmin(EntryAdmin):
    """Credential types."""
