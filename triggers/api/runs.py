"""``POST /api/v1/workflows/{id}/run/``: start a workflow, and wait for its end if told to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from leadsend.lib.api import ProjectViewSet
from leadsend.lib.errors import NotFound
from runtime.api import shapes
from runtime.api.serializers import ExecutionSerializer
from triggers import replaying
from triggers.api import serializers as shown
from triggers.api.waiting import wait_for
from workflows.models import Workflow, WorkflowQuerySet

_HEADER = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The same key within 30 days starts the workflow once.",
)
_WAIT = OpenApiParameter(
    "wait",
    OpenApiTypes.BOOL,
    description="Answer when the run has ended, at most 25 s later.",
)


class RunViewSet(ProjectViewSet):
    """Starts a workflow by hand or from a program."""

    serializer_class = shown.RunSerializer
    pagination_class = None
    lookup_url_kwarg = "workflow_id"
    policy: ClassVar[Mapping[str, str]] = {"create": "workflow.run"}

    def get_queryset(self) -> WorkflowQuerySet:
        """Return the workflows that the user may see."""
        visible: WorkflowQuerySet = Workflow.objects.visible_to(self.user)
        return visible.not_deleted().with_live_version()

    @extend_schema(
        request=shown.RunSerializer,
        parameters=[_HEADER, _WAIT],
        responses={200: ExecutionSerializer, 202: shown.StartedSerializer},
    )
    def create(self, request: Request, workflow_id: str) -> Response:
        """Start the live version with ``event``; 202 with the run's id, or 200 with its end."""
        workflow = self._workflow(workflow_id)
        fields = self.read(shown.RunSerializer)
        accepted = replaying.start(
            workflow,
            user=self.user,
            data=fields["event"],
            trigger_type="api" if request.auth is not None else "manual",
            idempotency_key=request.headers.get("Idempotency-Key"),
        )
        execution_id = replaying.started_id(workflow, accepted.event_id)
        if fields["wait"] or request.query_params.get("wait") in {"1", "true"}:
            ended = wait_for(execution_id)
            if ended is not None:
                return Response(shapes.execution(ended))
        body: dict[str, Any] = {**accepted.answer, "execution_ids": [execution_id]}
        return Response(body, status=_status(is_repeat=accepted.is_repeat))

    def _workflow(self, workflow_id: str) -> Workflow:
        workflow: Workflow | None = self.get_queryset().filter(pk=workflow_id).first()
        if workflow is None:
            raise NotFound(f"There is no workflow {workflow_id}.")
        self.check_object_permissions(self.request, workflow)
        return workflow


def _status(*, is_repeat: bool) -> int:
    return status.HTTP_200_OK if is_repeat else status.HTTP_202_ACCEPTED
