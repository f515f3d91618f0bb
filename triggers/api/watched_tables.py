"""``/api/v1/watched-tables/``: tables whose changes become events, and what of them is carried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from leadsend.access import audit
from leadsend.access.models import ProjectQuerySet
from leadsend.lib.api import ProjectViewSet
from triggers import db_changes
from triggers.api import serializers as shown
from triggers.api import shapes
from triggers.models import WatchedTable
from triggers.row_triggers import TableName, table_name


class WatchedTableViewSet(ProjectViewSet):
    """Watched tables of LeadSend's own database."""

    serializer_class = shown.WatchedTableSerializer
    order_fields = ("id", "created_at")
    policy: ClassVar[Mapping[str, str]] = {
        "list": "subscription.read",
        "retrieve": "subscription.read",
        "create": "subscription.manage",
        "destroy": "subscription.manage",
    }

    def get_queryset(self) -> ProjectQuerySet:
        """Return the watches that the user may see."""
        return WatchedTable.objects.visible_to(self.user)

    def list(self, request: Request) -> Response:
        """List watched tables, newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([shapes.watched_table(row) for row in page or ()])

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show what is watched of a table."""
        return Response(shapes.watched_table(self.get_object()))

    @extend_schema(
        request=shown.NewWatchedTableSerializer, responses={201: shown.WatchedTableSerializer}
    )
    def create(self, request: Request) -> Response:
        """Watch a table, or say anew what of a watched one is carried.

        It stays watched when no workflow listens any more. A table that does not exist yet is waited
        for (`waiting_since`).
        """
        project = self.project()
        fields = self.read(shown.NewWatchedTableSerializer)
        with transaction.atomic():
            row = db_changes.watch(
                project.pk,
                table_name(fields["table"]),
                operations=fields["operations"],
                columns=fields["columns"] or None,
                key_column=fields["key_column"],
                is_by_hand=True,
            )
            detail = {"operations": row.operations, "columns": row.columns}
            audit.record("table.watch", actor=self.user, project=project, obj=row, detail=detail)
        return Response(shapes.watched_table(row), status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Stop watching; the table's trigger goes with its last watch. 409 while workflows listen."""
        row = self.get_object()
        name = TableName(schema=row.schema_name, table=row.table_name)
        with transaction.atomic():
            audit.record("table.unwatch", actor=self.user, project=row.project, obj=row)
            db_changes.unwatch(row.project_id, name)
        return Response(status=status.HTTP_204_NO_CONTENT)
