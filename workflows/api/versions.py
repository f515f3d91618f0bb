"""``workflows/{id}/versions/…`` and ``versions/``: what was published, and what is next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from leadsend.access.models import ProjectQuerySet
from leadsend.lib.errors import NotFound
from workflows import creation, publishing
from workflows.api import serializers as shown
from workflows.api import shapes
from workflows.api.base import DesignViewSet
from workflows.api.filters import VersionFilter
from workflows.definition import upgrades
from workflows.definition.summary import describe_changes
from workflows.models import Workflow, WorkflowVersion

_NUMBER = "(?P<number>[0-9]{1,9})"


class VersionRoutes(DesignViewSet):
    """The versions of one workflow."""

    policy: ClassVar[Mapping[str, str]] = {
        "versions": "workflow.read",
        "version": "workflow.read",
        "diff": "workflow.read",
        "rollback": "workflow.publish",
    }

    @extend_schema(responses=shown.VersionSerializer(many=True))
    @action(detail=True, methods=["get"], filterset_class=None)
    def versions(self, request: Request, pk: str) -> Response:
        """List the published versions, newest first."""
        rows = self.workflow(pk).versions.order_by("-id")
        page = self.paginate_queryset(rows.defer("document"))
        return self.get_paginated_response([shapes.version_row(row) for row in page or ()])

    @extend_schema(responses=shown.VersionDetailSerializer)
    @action(detail=True, methods=["get"], url_path=f"versions/{_NUMBER}")
    def version(self, request: Request, pk: str, number: str) -> Response:
        """Show a version with its document."""
        return Response(_detail(_version(self.workflow(pk), number)))

    @extend_schema(request=None, responses=shown.WorkflowDetailSerializer)
    @action(detail=True, methods=["post"], url_path=f"versions/{_NUMBER}/rollback")
    def rollback(self, request: Request, pk: str, number: str) -> Response:
        """Make the content of an older version live again, as a new version."""
        workflow = self.workflow(pk)
        version = publishing.rollback(workflow, int(number), user=self.user)
        return Response({**shapes.workflow_detail(workflow), **version.answers})

    @extend_schema(responses=shown.DifferenceSerializer)
    @action(
        detail=True, methods=["get"], url_path=f"versions/{_NUMBER}/diff/(?P<other>[0-9]{{1,9}})"
    )
    def diff(self, request: Request, pk: str, number: str, other: str) -> Response:
        """Say what changed from one version to another."""
        workflow = self.workflow(pk)
        before = upgrades.read(_version(workflow, number).document)
        after = upgrades.read(_version(workflow, other).document)
        body = {"changes": describe_changes(before, after), "before": before, "after": after}
        return Response(body)


class VersionViewSet(DesignViewSet):
    """All versions one may see; creating one opens the next, unpublished version."""

    serializer_class = shown.VersionSerializer
    filterset_class = VersionFilter
    policy: ClassVar[Mapping[str, str]] = {
        "list": "workflow.read",
        "retrieve": "workflow.read",
        "create": "workflow.edit",
    }

    def get_queryset(self) -> ProjectQuerySet:
        """Return the published versions of visible workflows."""
        return WorkflowVersion.objects.visible_to(self.user).defer("document")

    def list(self, request: Request) -> Response:
        """List published versions, newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([shapes.version_row(row) for row in page or ()])

    @extend_schema(request=shown.NewVersionSerializer, responses={201: shown.VersionSerializer})
    def create(self, request: Request) -> Response:
        """Open the next version of a workflow: its draft, under the id the version will have."""
        fields = self.read(shown.NewVersionSerializer)
        workflow = self.workflow(fields.pop("workflow_id"))
        opened = creation.open_version(workflow, **fields)
        return Response(shapes.open_version_row(opened), status=status.HTTP_201_CREATED)

    @extend_schema(responses=shown.VersionDetailSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a version with its document, an open one too."""
        row = WorkflowVersion.objects.visible_to(self.user).filter(pk=pk).first()
        if row is not None:
            self.check_object_permissions(request, row)
            return Response(_detail(row))
        opened = creation.find_open(self.workflows(), UUID(pk))
        self.check_object_permissions(request, opened.workflow)
        body = shapes.open_version_row(opened)
        return Response({**body, "document": upgrades.read(opened.workflow.draft)})


def _version(workflow: Workflow, number: str) -> WorkflowVersion:
    version: WorkflowVersion | None = workflow.versions.filter(version_num=int(number)).first()
    if version is None:
        raise NotFound(f"“{workflow}” has no version {number}.")
    return version


def _detail(version: WorkflowVersion) -> shapes.JSON:
    return {**shapes.version_row(version), "document": upgrades.read(version.document)}
