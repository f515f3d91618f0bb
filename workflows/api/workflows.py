"""``/api/v1/workflows/``: workflows, and what is done with one as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from leadsend.lib.errors import InvalidInput, Problem
from workflows import drafts, publishing
from workflows.api import serializers as shown
from workflows.api import shapes
from workflows.api.base import DesignViewSet
from workflows.api.drafts import DraftRoutes
from workflows.api.filters import WorkflowFilter
from workflows.api.versions import VersionRoutes
from workflows.models import WorkflowQuerySet


class WorkflowViewSet(DraftRoutes, VersionRoutes, DesignViewSet):
    """Workflows of the projects one is a member of."""

    serializer_class = shown.WorkflowSerializer
    filterset_class = WorkflowFilter
    order_fields = ("id", "name", "created_at", "updated_at")
    policy: ClassVar[Mapping[str, str]] = {
        "list": "workflow.read",
        "retrieve": "workflow.read",
        "create": "workflow.edit",
        "partial_update": "workflow.edit",
        "destroy": "workflow.edit",
        "publish": "workflow.publish",
        **DraftRoutes.policy,
        **VersionRoutes.policy,
    }

    def get_queryset(self) -> WorkflowQuerySet:
        """Return the workflows that the user may see."""
        return self.workflows()

    def list(self, request: Request) -> Response:
        """List workflows, newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([shapes.workflow_row(row) for row in page or ()])

    @extend_schema(
        request=shown.NewWorkflowSerializer, responses={201: shown.WorkflowDetailSerializer}
    )
    def create(self, request: Request) -> Response:
        """Create a workflow from the canonical document or the shorthand.

        With ``"publish": true`` it is live at once, or nothing is created.
        """
        document, options = _split(request.data)
        project = self.project()
        if options["publish"]:
            self.require_publisher(project)
        with transaction.atomic():
            workflow = drafts.create_workflow(
                project, self.user, document, is_active=options["is_active"]
            )
            answers: Mapping[str, Any] = {}
            if options["publish"]:
                answers = publishing.publish(workflow, user=self.user).answers
        body = {**shapes.workflow_detail(workflow), **answers}
        return Response(body, status=status.HTTP_201_CREATED)

    @extend_schema(responses=shown.WorkflowDetailSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a workflow with its draft and what is wrong with it."""
        return Response(shapes.workflow_detail(self.workflow(pk)))

    @extend_schema(request=shown.WorkflowChangeSerializer, responses=shown.WorkflowDetailSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change name, description, category, tags, or switch the workflow on or off."""
        workflow = self.workflow(pk)
        fields = self.read(shown.WorkflowChangeSerializer)
        switch = fields.pop("is_active", None)
        if switch is not None:
            self.require_publisher(workflow)
        with transaction.atomic():
            card = [
                {"op": "set_meta", "path": f"/{name}", "value": value}
                for name, value in fields.items()
            ]
            if card:
                drafts.apply(workflow, card, user=self.user)
            if switch is not None:
                (publishing.revive if switch else publishing.retire)(workflow, user=self.user)
        return Response(shapes.workflow_detail(workflow))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Move a workflow to the bin; its versions and history stay."""
        workflow = self.workflow(pk)
        if workflow.is_live:
            self.require_publisher(workflow)
        publishing.move_to_bin(workflow, user=self.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=shown.NoteSerializer, responses=shown.WorkflowDetailSerializer)
    @action(detail=True, methods=["post"])
    def publish(self, request: Request, pk: str) -> Response:
        """Make the draft live as a new version."""
        workflow = self.workflow(pk)
        note = self.read(shown.NoteSerializer)["note"]
        version = publishing.publish(workflow, user=self.user, note=note)
        return Response({**shapes.workflow_detail(workflow), **version.answers})


def _split(data: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split a body into the document and what is not part of it."""
    if not isinstance(data, dict):
        raise InvalidInput("A workflow document is a JSON object: write {…} around it.")
    document = dict(data)
    document.pop("project", None)
    options: dict[str, Any] = {}
    for name, default in (("publish", False), ("is_active", True)):
        options[name] = document.pop(name, default)
        if not isinstance(options[name], bool):
            message = f"“{name}” must be true or false."
            problem = Problem(code="form", message=message, path=f"/{name}")
            raise InvalidInput(message, problems=[problem])
    return document, options
