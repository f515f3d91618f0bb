"""Serializers that refuse what they do not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

_UNKNOWN = "There is no field of this name here."


class _RefusesUnknown:
    """Answers a key that is no writable field with a problem, in place of ignoring it."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the validated fields. Raises ValidationError naming each unknown key."""
        if isinstance(data, Mapping):
            fields = self.fields  # type: ignore[attr-defined]  # a serializer stands behind it
            known = {name for name, field in fields.items() if not field.read_only}
            unknown = sorted(set(data) - known)
            if unknown:
                raise serializers.ValidationError({name: [_UNKNOWN] for name in unknown})
        return super().to_internal_value(data)  # type: ignore[misc]  # the serializer's own


class StrictSerializer(_RefusesUnknown, serializers.Serializer[Any]):
    """A serializer with explicit fields that refuses other keys."""


class StrictModelSerializer(_RefusesUnknown, serializers.ModelSerializer[Any]):
    """A model serializer that refuses other keys; name its fields, never ``__all__``."""
