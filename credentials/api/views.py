"""``/api/v1/credentials/``: stored authentication data; secrets are write-only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import django_filters as filters
from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response

from credentials import storing
from credentials.api import serializers as shown
from credentials.models import UserCredential
from leadsend.access import audit, policy
from leadsend.access.models import ProjectQuerySet
from leadsend.lib.api import ProjectViewSet


class CredentialFilter(filters.FilterSet):  # type: ignore[misc]  # no types
    """``?type=`` is a type's key."""

    type = filters.CharFilter(field_name="type__key")

    class Meta:
        model = UserCredential
        fields: ClassVar[list[str]] = ["type"]


class CredentialViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ProjectViewSet):
    """Connections of one's projects; those who design workflows may see them, admins change them."""

    serializer_class = shown.CredentialSerializer
    filterset_class = CredentialFilter
    order_fields = ("id", "name", "created_at", "updated_at")
    policy: ClassVar[Mapping[str, str]] = {
        "list": "credential.read",
        "retrieve": "credential.read",
        "create": "credential.manage",
        "partial_update": "credential.manage",
        "destroy": "credential.manage",
    }

    def get_queryset(self) -> ProjectQuerySet:
        """Return visible credentials; in a list those that one may use."""
        rows = UserCredential.objects.visible_to(self.user).select_related("type", "project")
        return rows if self.kwargs else policy.rows_where(rows, self.user, "credential.read")

    @extend_schema(
        request=shown.NewCredentialSerializer, responses={201: shown.CredentialSerializer}
    )
    def create(self, request: Request) -> Response:
        """Store a credential."""
        fields = self.read(shown.NewCredentialSerializer)
        project = self.project()
        with transaction.atomic():
            row = storing.create_credential(
                project_id=project.pk,
                owner=self.user,
                name=fields["name"],
                type_key=fields["type"],
                fields=fields["fields"],
            )
            self._record("credential.create", row, names=sorted(fields["fields"]))
        return Response(shown.CredentialSerializer(row).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=shown.CredentialChangeSerializer, responses=shown.CredentialSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Rename a credential, or change some of its fields."""
        row: UserCredential = self.get_object()
        fields = self.read(shown.CredentialChangeSerializer)
        with transaction.atomic():
            row = storing.change_credential(
                row, name=fields.get("name"), fields=fields.get("fields")
            )
            self._record("credential.change", row, names=sorted(fields.get("fields", {})))
        return Response(shown.CredentialSerializer(row).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a credential that nothing refers to."""
        row: UserCredential = self.get_object()
        with transaction.atomic():
            self._record("credential.delete", row, names=[])
            storing.delete_credential(row)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _record(self, act: str, row: UserCredential, *, names: list[Any]) -> None:
        """Write down which fields were set, never what to."""
        detail = {"name": row.name, "type": row.type.key, "fields_set": names}
        audit.record(
            act, actor=self.user, project=row.project, obj=row, detail=detail, request=self.request
        )
