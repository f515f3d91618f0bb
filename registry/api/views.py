"""``/api/v1/`` ``actions trigger-types credential-types``: what can be used, read-only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import mixins

from leadsend.lib.api import ProjectViewSet
from registry.api import serializers as shown
from registry.models import ActionEntry, CredentialTypeEntry, TriggerEntry


class CatalogueViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ProjectViewSet):
    """Base of the entries of the catalogue, found by their key; the same for every project."""

    lookup_field = "key"
    lookup_value_regex = "[a-z0-9_.]{1,80}"
    lookup_is_uuid = False
    order_fields = ("key",)
    default_order = "key"
    policy: ClassVar[Mapping[str, str]] = {"list": "registry.read", "retrieve": "registry.read"}


class ActionViewSet(CatalogueViewSet):
    """Actions that steps may use."""

    serializer_class = shown.ActionSerializer
    filterset_fields = ("category", "is_enabled", "is_deprecated")

    def get_queryset(self) -> QuerySet[Any]:
        """Return all actions."""
        return ActionEntry.objects.all()


class TriggerTypeViewSet(CatalogueViewSet):
    """Ways in which work starts."""

    serializer_class = shown.TriggerTypeSerializer
    filterset_fields = ("stored_type", "is_enabled", "is_deprecated")

    def get_queryset(self) -> QuerySet[Any]:
        """Return all trigger types."""
        return TriggerEntry.objects.all()


class CredentialTypeViewSet(CatalogueViewSet):
    """Forms of authentication data."""

    serializer_class = shown.CredentialTypeSerializer
    filterset_fields = ("is_enabled", "is_deprecated")

    def get_queryset(self) -> QuerySet[Any]:
        """Return all credential types."""
        return CredentialTypeEntry.objects.all()
