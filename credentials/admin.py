"""Admin page of connections: never a secret, not even sealed."""

from __future__ import annotations

from django.contrib import admin

from credentials.models import UserCredential
from leadsend.access.admin_lists import own
from leadsend.access.admin_pages import ReadOnlyAdmin


@admin.register(UserCredential)
class UserCredentialAdmin(ReadOnlyAdmin):
    """Connections; their secrets are set by the API and shown nowhere."""

    read_permission = "credential.read"
    hidden = ("sealed",)
    list_display = ("name", "type", "owner", "project", "hint", "last_used_at", "last_test_ok")
    list_filter = ("type", own("project"))
    search_fields = ("name", "owner__email")
    list_select_related = ("type", "owner", "project")
