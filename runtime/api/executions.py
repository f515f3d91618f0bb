"""``/api/v1/executions/``: runs, their steps, and what people ask of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from leadsend.lib.api import ProjectViewSet
from leadsend.lib.errors import NotFound
from runtime import bulk, executions, payloads
from runtime.api import serializers as taken
from runtime.api import shapes
from runtime.api.bulk import plan_of
from runtime.api.filters import ExecutionFilter
from runtime.api.replaying import replay as replay_hook
from runtime.large_values import reference_in
from runtime.models import Execution, ExecutionQuerySet, StepExecution


class ExecutionViewSet(ProjectViewSet):
    """Runs of the projects one is a member of."""

    serializer_class = taken.ExecutionSerializer
    filterset_class = ExecutionFilter
    order_fields = ("id", "created_at")
    policy: ClassVar[Mapping[str, str]] = {
        "list": "execution.read",
        "retrieve": "execution.read",
        "steps": "execution.read",
        "payload": "execution.read",
        "cancel": "execution.operate",
        "pause": "execution.operate",
        "resume": "execution.operate",
        "retry": "execution.operate",
        "decide": "execution.operate",
        "replay": "event.replay",
        "bulk": "execution.operate",
    }

    def get_queryset(self) -> ExecutionQuerySet:
        """Return the runs that the user may see."""
        visible: ExecutionQuerySet = Execution.objects.visible_to(self.user)
        return visible

    def list(self, request: Request) -> Response:
        """List runs, newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([shapes.execution(row) for row in page or ()])

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a run."""
        return Response(shapes.execution_detail(self._run()))

    @extend_schema(responses=taken.StepRunsSerializer, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def steps(self, request: Request, pk: str) -> Response:
        """Show all attempts of the run's steps, in the order in which they began."""
        run = self._run()
        rows = list(StepExecution.objects.of_execution(run.pk))
        rows.sort(key=lambda row: (row.started_at or row.created_at, row.attempt, row.step_id))
        return Response({"results": [shapes.step(row, run) for row in rows], "next": None})

    @extend_schema(responses=OpenApiTypes.ANY, filters=False)
    @action(
        detail=True,
        methods=["get"],
        url_path=r"payloads/(?P<sha256>[0-9a-f]{64})",
        pagination_class=None,
    )
    def payload(self, request: Request, pk: str, sha256: str) -> Response:
        """Show a value of the run or its steps that is too large to stand in their row."""
        run = self._run()
        reference = reference_in(run, sha256)
        if reference is None:
            raise NotFound("The run has no such value.")
        return Response(payloads.whole(reference, project_id=run.project_id))

    @extend_schema(request=taken.NothingSerializer, responses=taken.ExecutionSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """End the run; while a step is under way, as soon as that has answered."""
        run = self._run()
        self.read(taken.NothingSerializer)
        return Response(shapes.execution(executions.cancel(run, user=self.user)))

    @extend_schema(request=taken.NothingSerializer, responses=taken.ExecutionSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Keep the run from going on until it is resumed."""
        run = self._run()
        self.read(taken.NothingSerializer)
        return Response(shapes.execution(executions.pause(run, user=self.user)))

    @extend_schema(request=taken.NothingSerializer, responses=taken.ExecutionSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Let a paused run go on."""
        run = self._run()
        self.read(taken.NothingSerializer)
        return Response(shapes.execution(executions.resume(run, user=self.user)))

    @extend_schema(request=taken.RetrySerializer, responses={201: taken.ExecutionSerializer})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Start a new run that takes over the results before a step, and show the new one."""
        run = self._run()
        fields = self.read(taken.RetrySerializer)
        begun = executions.retry(run, user=self.user, **fields)
        return Response(shapes.execution(begun), status=status.HTTP_201_CREATED)

    @extend_schema(request=taken.DecisionSerializer, responses=taken.StepRunSerializer)
    @action(detail=True, methods=["post"])
    def decide(self, request: Request, pk: str) -> Response:
        """Say what became of a step that may have happened."""
        run = self._run()
        fields = self.read(taken.DecisionSerializer)
        row = executions.decide_uncertain(
            _latest(run, fields),
            fields["decision"],
            fields["reason"],
            self.user,
            output=fields.get("output"),
        )
        return Response(shapes.step(row, run))

    @extend_schema(
        request=taken.ReplaySerializer,
        responses={201: taken.ExecutionSerializer, 202: taken.RunReplaySerializer},
    )
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        """Run the event that started this run anew, as it came or edited.

        Without input everything is done once more, on the live version, as if the event had come
        again (202). With input it is a new run at once (201), which keeps the effects that are done
        unless `run_again` names them.
        """
        run = self._run()
        fields = self.read(taken.ReplaySerializer)
        if fields:
            begun = executions.replay(run, user=self.user, **fields)
            return Response(shapes.execution(begun), status=status.HTTP_201_CREATED)
        number = replay_hook(run, user=self.user)
        body = {"event_id": run.trigger_event_id, "replay": number}
        return Response(body, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        request=taken.BulkSerializer,
        responses={200: taken.BulkPreviewSerializer, 202: taken.BulkJobSerializer},
        filters=False,
    )
    @action(detail=False, methods=["post"], pagination_class=None)
    def bulk(self, request: Request) -> Response:
        """Cancel, retry or replay all runs of a project that a filter finds.

        With `preview` it says how many that are (200). Otherwise it notes a bulk job with this list
        (202), which engines work off at its rate. A retry leaves out what was tried again already.
        """
        project = self.project()
        fields = self.read(taken.BulkSerializer)
        plan = plan_of(fields, self.get_queryset().filter(project=project), request)
        if fields["preview"]:
            found = bulk.preview(plan)
            sample = [shapes.execution(row) for row in found.sample]
            return Response({"count": found.count, "sample": sample})
        job = bulk.begin(plan, project=project, user=self.user)
        return Response(shapes.bulk_job(job), status=status.HTTP_202_ACCEPTED)

    def _run(self) -> Execution:
        run: Execution = self.get_object()
        return run


def _latest(run: Execution, fields: Mapping[str, Any]) -> StepExecution:
    rows = StepExecution.objects.of_execution(run.pk).filter(
        step_id=fields["step_id"], item=fields.get("item")
    )
    row: StepExecution | None = rows.order_by("-again", "-attempt").first()
    if row is None:
        raise NotFound(f"The run has no step {fields['step_id']!r} that began.")
    return row
