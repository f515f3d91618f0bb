"""What the catalogue shows of its entries."""

from __future__ import annotations

from typing import ClassVar

from rest_framework import serializers

from registry.models import ActionEntry, CredentialTypeEntry, TriggerEntry

_COMMON = [
    "key",
    "version",
    "title",
    "description",
    "icon",
    "config_schema",
    "is_enabled",
    "is_deprecated",
]


class ActionSerializer(serializers.ModelSerializer[ActionEntry]):
    """An action: its form as JSON Schema, what it gives, what it promises."""

    class Meta:
        model = ActionEntry
        fields: ClassVar[list[str]] = [
            *_COMMON,
            "sentence",
            "category",
            "delivery",
            "aliases",
            "output_schema",
            "example",
            "sample_output",
        ]


class TriggerTypeSerializer(serializers.ModelSerializer[TriggerEntry]):
    """A way in which work starts, and what its events look like."""

    class Meta:
        model = TriggerEntry
        fields: ClassVar[list[str]] = [
            *_COMMON,
            "sentence",
            "stored_type",
            "event_schema",
            "sample_event",
        ]


class CredentialTypeSerializer(serializers.ModelSerializer[CredentialTypeEntry]):
    """A form of authentication data, and which of its fields are secret."""

    class Meta:
        model = CredentialTypeEntry
        fields: ClassVar[list[str]] = [*_COMMON, "secret_fields"]
