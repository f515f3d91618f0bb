"""What credentials take and give; what is secret goes in and never comes out."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers

from credentials.models import UserCredential
from leadsend.lib.rest.serializers import StrictSerializer

_FIELDS = "As the type's config_schema says; secret ones are never shown again."


class CredentialSerializer(serializers.ModelSerializer[UserCredential]):
    """A credential without its secrets; ``hint`` are the last letters of one, to tell apart."""

    project_id = serializers.UUIDField()
    owner_id = serializers.UUIDField()
    type = serializers.CharField(source="type.key")
    public = serializers.DictField(help_text="The fields that are not secret.")

    class Meta:
        model = UserCredential
        fields: ClassVar[list[str]] = [
            "id",
            "project_id",
            "owner_id",
            "name",
            "type",
            "public",
            "hint",
            "last_used_at",
            "last_test_at",
            "last_test_ok",
            "created_at",
            "updated_at",
        ]


class _WithFields(StrictSerializer):
    """Has a field of the name ``fields``, which as an attribute would hide the framework's own."""

    fields_are_required: ClassVar[bool]

    def get_fields(self) -> dict[str, Any]:
        """Return the declared fields and ``fields``."""
        return {
            **super().get_fields(),
            "fields": serializers.DictField(
                required=self.fields_are_required, write_only=True, help_text=_FIELDS
            ),
        }


class CredentialChangeSerializer(_WithFields):
    """Another name, or other fields; a secret that is left out stays."""

    name = serializers.CharField(max_length=200, required=False)
    fields_are_required = False


class NewCredentialSerializer(_WithFields):
    """A credential to store."""

    name = serializers.CharField(max_length=200)
    type = serializers.CharField(max_length=80)
    project = serializers.CharField(required=False, help_text="Id or slug; needed with several.")
    fields_are_required = True
