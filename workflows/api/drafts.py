"""``workflows/{id}/draft/`` and ``workflows/{id}/validate/``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from workflows import drafts
from workflows.api import serializers as shown
from workflows.api import shapes
from workflows.api.base import DesignViewSet
from workflows.definition import shorthand
from workflows.models import Workflow
from workflows.problems import problems_of


class DraftRoutes(DesignViewSet):
    """Reading, editing and checking a draft."""

    policy: ClassVar[Mapping[str, str]] = {
        "draft": "workflow.read",
        "replace_draft": "workflow.edit",
        "change_draft": "workflow.edit",
        "validate": "workflow.read",
    }

    @extend_schema(responses=shown.DraftSerializer)
    @action(detail=True, methods=["get"])
    def draft(self, request: Request, pk: str) -> Response:
        """Show the draft, its revision, and what is wrong with it."""
        return Response(shapes.draft(self.workflow(pk)))

    @extend_schema(request=shown.DraftReplacementSerializer, responses=shown.ChangedDraftSerializer)
    @draft.mapping.put
    def replace_draft(self, request: Request, pk: str) -> Response:
        """Put another document, full or shorthand, in the draft's place."""
        workflow = self.workflow(pk)
        fields = self.read(shown.DraftReplacementSerializer)
        undo = drafts.replace(
            workflow, fields["document"], user=self.user, revision=fields.get("revision")
        )
        return _changed(workflow, undo)

    @extend_schema(request=shown.DraftChangeSerializer, responses=shown.ChangedDraftSerializer)
    @draft.mapping.patch
    def change_draft(self, request: Request, pk: str) -> Response:
        """Apply operations that were made on a revision; 409 tells what changed since."""
        workflow = self.workflow(pk)
        fields = self.read(shown.DraftChangeSerializer)
        undo = drafts.apply(
            workflow, fields["operations"], user=self.user, revision=fields["revision"]
        )
        return _changed(workflow, undo)

    @extend_schema(request=shown.ValidationSerializer, responses=shown.FoundSerializer)
    @action(detail=True, methods=["post"])
    def validate(self, request: Request, pk: str) -> Response:
        """Find what is wrong with the draft, or with the document sent along; saves nothing."""
        workflow = self.workflow(pk)
        sent = self.read(shown.ValidationSerializer)
        document = (
            shorthand.expand(sent["document"])
            if "document" in sent
            else drafts.document_of(workflow)
        )
        return Response({"problems": shapes.problems(problems_of(workflow, document))})


def _changed(workflow: Workflow, undo: list[dict[str, Any]]) -> Response:
    return Response({**shapes.draft(workflow), "undo": undo})
