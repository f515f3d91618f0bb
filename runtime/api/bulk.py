"""``/api/v1/bulk-jobs/``: acts on many runs, how far they are, and what was refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from leadsend.lib.api import ProjectViewSet
from leadsend.lib.errors import InvalidInput, Problem
from leadsend.lib.rest.narrowing import narrowed
from runtime import bulk
from runtime.api import serializers as taken
from runtime.api import shapes
from runtime.api.filters import BulkItemFilter, BulkJobFilter, ExecutionFilter
from runtime.models import BulkItem, BulkItemStatus, BulkJob, ExecutionQuerySet

_OPTIONS = ("from_step", "run_again", "version", "event")


class BulkJobViewSet(ProjectViewSet):
    """Acts on many runs. `POST /api/v1/executions/bulk/` begins one."""

    serializer_class = taken.BulkJobSerializer
    filterset_class = BulkJobFilter
    policy: ClassVar[Mapping[str, str]] = {
        "list": "execution.read",
        "retrieve": "execution.read",
        "items": "execution.read",
        "cancel": "execution.operate",
    }

    def get_queryset(self) -> QuerySet[BulkJob]:
        """Return the jobs of the projects one is a member of."""
        visible: QuerySet[BulkJob] = BulkJob.objects.visible_to(self.user)
        return visible.select_related("created_by")

    def list(self, request: Request) -> Response:
        """List bulk jobs, newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([shapes.bulk_job(row) for row in page or ()])

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show how far a bulk job is."""
        return Response(shapes.bulk_job(self._job()))

    @extend_schema(request=taken.NothingSerializer, responses=taken.BulkJobSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop a bulk job; what it did stays."""
        job = self._job()
        self.read(taken.NothingSerializer)
        return Response(shapes.bulk_job(bulk.cancel(job, user=self.user)))

    @extend_schema(
        responses=taken.BulkItemSerializer(many=True),
        parameters=[OpenApiParameter("status", enum=BulkItemStatus.values, many=True)],
    )
    @action(detail=True, methods=["get"], filterset_class=None)
    def items(self, request: Request, pk: str) -> Response:
        """Show what became of each run of a bulk job; `?status=REFUSED` keeps what was refused."""
        job = self._job()
        found = BulkItemFilter(request.query_params, BulkItem.objects.filter(job=job))
        if not found.is_valid():
            raise InvalidInput("There is no such status: WAITING, DONE or REFUSED.")
        page = self.paginate_queryset(found.qs)
        return self.get_paginated_response([shapes.bulk_item(row) for row in page or ()])

    def _job(self) -> BulkJob:
        job: BulkJob = self.get_object()
        return job


def plan_of(fields: Mapping[str, Any], rows: ExecutionQuerySet, request: Request) -> bulk.Plan:
    """Return what was asked for, on rows that the user may operate.

    Raises InvalidInput when the filter, or an option that the act does not have, cannot be read.
    """
    act: bulk.Act = fields["act"]
    options = {name: fields[name] for name in _OPTIONS if name in fields}
    _refuse_options(act, options)
    return bulk.Plan(
        act=act,
        found=narrowed(ExecutionFilter, rows, fields["filter"], request=request),
        filter=fields["filter"],
        options=options,
        per_second=fields["per_second"],
    )


def _refuse_options(act: bulk.Act, options: Mapping[str, Any]) -> None:
    known = {"cancel": (), "retry": _OPTIONS, "replay": _OPTIONS[1:]}[act]
    problems = [
        Problem(code="unknown", message=f"{act} has no option of this name.", path=f"/{name}")
        for name in options
        if name not in known
    ]
    if problems:
        raise InvalidInput(f"Leave out what {act} does not have.", problems=problems)
