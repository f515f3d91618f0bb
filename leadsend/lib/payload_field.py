"""A JSON column whose large values lie in the object storage."""

from __future__ import annotations

from typing import Any

from django.db import models

from leadsend.lib.payloads import opened, wrapped


class PayloadField(models.JSONField):
    """Reads as JSON, or as a ``Reference`` where the value is large; writes both.

    Whoever needs the value itself asks ``runtime.payloads.whole``; lists never do. Written through
    the ORM, a value is stored inline whatever its size: what may be large is offloaded before.
    """

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Return the value, or where it lies."""
        return opened(super().from_db_value(value, expression, connection))

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        """Return what the column holds."""
        return super().get_db_prep_value(wrapped(value), connection, prepared)
