"""``steps/``, ``edges/`` and ``variables/``: the parts of a version as rows of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from leadsend.access.models import ProjectQuerySet
from leadsend.lib.errors import NotFound
from workflows import creation, drafts
from workflows.api import serializers as shown
from workflows.api import shapes
from workflows.api.base import DesignViewSet
from workflows.api.filters import EdgeFilter, StepFilter, VariableFilter
from workflows.creation import OpenVersion
from workflows.models import WorkflowEdge, WorkflowStep, WorkflowVariable

_POLICY: Mapping[str, str] = {
    "list": "workflow.read",
    "retrieve": "workflow.read",
    "create": "workflow.edit",
    "partial_update": "workflow.edit",
    "destroy": "workflow.edit",
}


class RowViewSet(DesignViewSet):
    """Base of rows that belong to a version, open or published."""

    policy = _POLICY

    def opened(self, version_id: UUID) -> OpenVersion:
        """Return an open version whose draft the user may change."""
        return self.allowed(creation.find_open(self.workflows(), version_id))

    def allowed(self, opened: OpenVersion) -> OpenVersion:
        """Return the version when the policy lets the user act on its workflow."""
        self.check_object_permissions(self.request, opened.workflow)
        return opened

    def open_in_query(self) -> OpenVersion | None:
        """Return the open version that ``?version_id=`` names, if it names one."""
        wanted = self.request.query_params.get("version_id", "")
        try:
            identifier = UUID(wanted)
        except ValueError:
            return None
        workflow = self.workflows().filter(open_version_id=identifier).first()
        return creation.open_version(workflow) if workflow else None


class StepViewSet(RowViewSet):
    """Steps; those of an open version can be added, changed and removed."""

    serializer_class = shown.StepSerializer
    filterset_class = StepFilter

    def get_queryset(self) -> ProjectQuerySet:
        """Return the steps of published versions."""
        return WorkflowStep.objects.visible_to(self.user).order_by("-id")

    def list(self, request: Request) -> Response:
        """List steps; with ``version_id`` of an open version, those of the draft."""
        opened = self.open_in_query()
        if opened is not None:
            steps = drafts.document_of(opened.workflow)["steps"]
            return Response(_one_page([_open_step(opened, step, steps) for step in steps]))
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([shapes.step_row(row) for row in page or ()])

    @extend_schema(request=shown.NewStepSerializer, responses={201: shown.StepSerializer})
    def create(self, request: Request) -> Response:
        """Add a step to an open version."""
        fields = self.read(shown.NewStepSerializer)
        opened = self.opened(fields.pop("version_id"))
        if "step_id" in fields:
            fields["id"] = fields.pop("step_id")
        step = creation.add_step(opened, fields, user=self.user)
        steps = drafts.document_of(opened.workflow)["steps"]
        return Response(_open_step(opened, step, steps), status=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a step."""
        row = WorkflowStep.objects.visible_to(self.user).filter(pk=pk).first()
        if row is not None:
            self.check_object_permissions(request, row)
            return Response(shapes.step_row(row))
        opened, step = self._open(pk)
        return Response(_open_step(opened, step, drafts.document_of(opened.workflow)["steps"]))

    @extend_schema(request=shown.StepFieldsSerializer, responses=shown.StepSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a step of an open version."""
        opened, step = self._open(pk)
        fields = self.read(shown.StepFieldsSerializer)
        changed = creation.change_step(opened, step, fields, user=self.user)
        steps = drafts.document_of(opened.workflow)["steps"]
        return Response(_open_step(opened, changed, steps))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a step, with its edges, from an open version."""
        opened, step = self._open(pk)
        creation.remove_step(opened, step, user=self.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _open(self, pk: str) -> tuple[OpenVersion, dict[str, Any]]:
        opened, step = creation.find_step(self.workflows(), UUID(pk))
        return self.allowed(opened), step


class EdgeViewSet(RowViewSet):
    """Edges; those of an open version can be added and removed."""

    serializer_class = shown.EdgeSerializer
    filterset_class = EdgeFilter

    def get_queryset(self) -> ProjectQuerySet:
        """Return the edges of published versions."""
        return WorkflowEdge.objects.visible_to(self.user).order_by("-id")

    def list(self, request: Request) -> Response:
        """List edges; with ``version_id`` of an open version, those of the draft."""
        opened = self.open_in_query()
        if opened is not None:
            edges = drafts.document_of(opened.workflow)["edges"]
            return Response(_one_page([shapes.open_edge_row(opened, edge) for edge in edges]))
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([shapes.edge_row(row) for row in page or ()])

    @extend_schema(request=shown.NewEdgeSerializer, responses={201: shown.EdgeSerializer})
    def create(self, request: Request) -> Response:
        """Link two steps of an open version."""
        fields = self.read(shown.NewEdgeSerializer)
        version_id = fields.get("version_id")
        workflows = self.workflows()
        source, _ = creation.find_step(workflows, fields["from_step_id"], version_id=version_id)
        self.allowed(source)
        opened, edge = creation.add_edge(
            workflows,
            from_step_id=fields["from_step_id"],
            to_step_id=fields["to_step_id"],
            branch_key=fields["branch_key"],
            version_id=source.id,
            user=self.user,
        )
        return Response(shapes.open_edge_row(opened, edge), status=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show an edge."""
        row = WorkflowEdge.objects.visible_to(self.user).filter(pk=pk).first()
        if row is not None:
            self.check_object_permissions(request, row)
            return Response(shapes.edge_row(row))
        opened, edge = creation.find_edge(self.workflows(), UUID(pk))
        return Response(shapes.open_edge_row(self.allowed(opened), edge))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Remove an edge from an open version."""
        opened, edge = creation.find_edge(self.workflows(), UUID(pk))
        creation.remove_edge(self.allowed(opened), edge, user=self.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class VariableViewSet(DesignViewSet):
    """Variables of workflows; the value of a secret one can be set, never read."""

    serializer_class = shown.VariableSerializer
    filterset_class = VariableFilter
    policy = _POLICY

    def get_queryset(self) -> QuerySet[WorkflowVariable]:
        """Return the variables of visible workflows."""
        visible: QuerySet[WorkflowVariable] = WorkflowVariable.objects.visible_to(self.user)
        return visible.filter(workflow__deleted_at=None).select_related("workflow").order_by("-id")

    def list(self, request: Request) -> Response:
        """List variables; secret ones without their value."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([shapes.variable_row(row) for row in page or ()])

    @extend_schema(request=shown.NewVariableSerializer, responses={201: shown.VariableSerializer})
    def create(self, request: Request) -> Response:
        """Add a variable to a workflow's draft."""
        fields = self.read(shown.NewVariableSerializer)
        workflow = self.workflow(fields.pop("workflow_id"))
        variable = {("secret" if name == "is_secret" else name): v for name, v in fields.items()}
        drafts.apply(workflow, [{"op": "add_variable", "variable": variable}], user=self.user)
        row = workflow.variables.get(key=fields["key"])
        return Response(shapes.variable_row(row), status=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a variable; a secret one without its value."""
        return Response(shapes.variable_row(self._row(pk)))

    @extend_schema(request=shown.VariableFieldsSerializer, responses=shown.VariableSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a variable in the draft, or give a secret one another value."""
        row = self._row(pk)
        fields = self.read(shown.VariableFieldsSerializer)
        names = {"is_secret": "secret"}
        changes = [
            {
                "op": "set_variable",
                "variable": row.key,
                "path": f"/{names.get(name, name)}",
                "value": value,
            }
            for name, value in fields.items()
        ]
        drafts.apply(row.workflow, changes, user=self.user)
        return Response(shapes.variable_row(self._row(pk)))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a variable from the draft."""
        row = self._row(pk)
        remove = {"op": "remove_variable", "key": row.key}
        drafts.apply(row.workflow, [remove], user=self.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _row(self, pk: str) -> WorkflowVariable:
        row = self.get_queryset().filter(pk=pk).first()
        if row is None:
            raise NotFound(f"There is no variable {pk}.")
        self.check_object_permissions(self.request, row.workflow)
        return row


def _open_step(
    opened: OpenVersion, step: dict[str, Any], steps: list[dict[str, Any]]
) -> shapes.JSON:
    position = next(at for at, item in enumerate(steps) if item["id"] == step["id"])
    return shapes.open_step_row(opened, step, position)


def _one_page(rows: list[shapes.JSON]) -> dict[str, Any]:
    """Return the rows of a draft in the shape of a page: a draft always fits on one."""
    return {"results": rows, "next": None}
