"""Admin pages of people and access."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.http import HttpRequest

from leadsend.access.admin_pages import PlainAdmin, ReadOnlyAdmin, ScopedAdmin
from leadsend.access.models import (
    ApiToken,
    AuditEntry,
    Membership,
    Organisation,
    Project,
    Team,
    User,
)


class UserCreation(AdminUserCreationForm):
    """A new user is named by e-mail."""

    class Meta(AdminUserCreationForm.Meta):
        model = User
        fields = ("email",)


class UserChange(UserChangeForm):
    """All fields of a user."""

    class Meta(UserChangeForm.Meta):
        model = User


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    """People."""

    form = UserChange
    add_form = UserCreation
    list_display = ("email", "name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("email", "name")
    ordering = ("email",)
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        ("Person", {"fields": ("name", "theme", "timezone")}),
        (
            "Rights",
            {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        ("Dates", {"fields": ("last_login",)}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("email", "usable_password", "password1", "password2"),
            },
        ),
    )
    readonly_fields = ("last_login",)


@admin.register(Organisation)
class OrganisationAdmin(PlainAdmin):
    """The one organisation."""

    list_display = ("name", "timezone", "created_at")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: set-up makes the one row there is."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: an installation is always somebody's."""
        return False


@admin.register(Project)
class ProjectAdmin(PlainAdmin):
    """Projects."""

    list_display = ("name", "slug", "timezone", "created_at")
    search_fields = ("name", "slug")


@admin.register(Membership)
class MembershipAdmin(ScopedAdmin):
    """Who has which role where."""

    list_display = ("user", "project", "role", "created_at")
    list_filter = ("role", "project")
    search_fields = ("user__email", "user__name")
    list_select_related = ("user", "project")
    autocomplete_fields = ("user", "project")


@admin.register(Team)
class TeamAdmin(ScopedAdmin):
    """Teams that tasks are given to."""

    list_display = ("name", "key", "project")
    list_filter = ("project",)
    search_fields = ("name", "key")
    list_select_related = ("project",)
    filter_horizontal = ("members",)


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """Tokens; they are made and revoked by the API, where they are shown once."""

    list_display = ("name", "prefix", "user", "expires_at", "last_used_at", "revoked_at")
    list_filter = ("project",)
    search_fields = ("name", "prefix", "user__email")
    list_select_related = ("user",)
    exclude = ("token_hash",)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """What was done; it only grows."""

    list_display = ("at", "act", "actor_label", "object_type", "object_id", "project")
    list_filter = ("act", "object_type", "project")
    search_fields = ("=object_id", "actor_label", "act")
    date_hierarchy = "at"
    ordering = ("-number",)
    list_select_related = ("project",)
