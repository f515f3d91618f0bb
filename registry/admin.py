"""Admin pages of the catalogue: entries come from the code, admin may switch them off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest

from leadsend.access.admin_pages import AuditedAdmin
from registry.catalog import catalog
from registry.models import ActionEntry, CredentialTypeEntry, TriggerEntry


def ways_in() -> Iterator[tuple[str, str]]:
    """Yield the ways in which runs and events come about, as they are stored."""
    kinds = (catalog().trigger_type(key) for key in catalog().trigger_keys())
    for name in sorted({kind.stored_type for kind in kinds if kind} | {"api", "workflow"}):
        yield name, name.capitalize()


def trigger_types() -> Iterator[tuple[str, str]]:
    """Yield keys and titles of the trigger types in the code."""
    for key in sorted(catalog().trigger_keys()):
        kind = catalog().trigger_type(key)
        yield key, kind.title if kind else key


def action_types() -> Iterator[tuple[str, str]]:
    """Yield keys and titles of the actions in the code."""
    for key in sorted(catalog().action_keys()):
        action = catalog().action(key)
        yield key, action.title if action else key


class EntryAdmin(AuditedAdmin):
    """One entry: everything is shown, one field can be changed."""

    read_permission = "registry.read"
    list_display: tuple[str, ...] = (
        "key",
        "title",
        "version",
        "is_enabled",
        "is_deprecated",
    )
    list_filter: ClassVar[tuple[str, ...]] = ("is_enabled", "is_deprecated")
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
