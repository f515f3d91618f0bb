"""``/api/v1/events/``: everything that ever arrived, and playing it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar, Final

from django.db import OperationalError, connection, transaction
from drf_spectacular.utils import extend_schema
from psycopg.errors import QueryCanceled
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from leadsend.access.models import ProjectQuerySet
from leadsend.lib.api import ProjectViewSet
from leadsend.lib.errors import InvalidInput
from triggers import replay_jobs, replaying
from triggers.api import serializers as shown
from triggers.api import shapes
from triggers.event_filter import EventFilter
from triggers.models import ReplayJob, TriggerEvent

SEARCH_MS: Final = 5_000


class EventViewSet(ProjectViewSet):
    """Events of the projects one is a member of."""

    serializer_class = shown.EventSerializer
    filterset_class = EventFilter
    order_fields = ("id",)
    policy: ClassVar[Mapping[str, str]] = {
        "list": "event.read",
        "retrieve": "event.read",
        "replay": "event.replay",
        "sample": "workflow.edit",
        "replay_many": "event.replay",
    }

    def get_queryset(self) -> ProjectQuerySet:
        """Return the events that the user may see."""
        return TriggerEvent.objects.visible_to(self.user)

    def list(self, request: Request) -> Response:
        """List events, newest first, without their data."""
        rows = self.filter_queryset(self.get_queryset()).defer("data", "request")
        with _in_time(request):
            page = self.paginate_queryset(rows)
        return self.get_paginated_response([shapes.event_row(row) for row in page or ()])

    @extend_schema(responses=shown.EventDetailSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """Show an event with its data and the runs it started."""
        event = self.get_object()
        started = replaying.executions_of(event).values_list("pk", flat=True)
        return Response(shapes.event_detail(event, list(started)))

    @extend_schema(request=shown.NothingToSaySerializer, responses={202: shown.ReplaySerializer})
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        """Offer the event to its subscriptions anew; what starts are new runs."""
        event = self.get_object()
        self.read(shown.NothingToSaySerializer)
        number = replaying.replay_event(event, user=self.user)
        body = {"event_id": event.pk, "replay": number}
        return Response(body, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        operation_id="events_replay_many",
        request=shown.ReplayManySerializer,
        responses={200: shown.ReplayPreviewSerializer, 202: shown.ReplayJobSerializer},
        filters=False,
    )
    @action(detail=False, methods=["post"], url_path="replay", pagination_class=None)
    def replay_many(self, request: Request) -> Response:
        """Offer all events of a project that a filter finds to their subscriptions anew.

        With `preview` it says how many that are (200). Otherwise it notes a replay job (202), which
        engines work off at its rate, oldest event first.
        """
        project = self.project()
        fields = self.read(shown.ReplayManySerializer)
        if fields["preview"]:
            found = replay_jobs.preview(project, fields["filter"])
            newest = shapes.event_row(found.newest) if found.newest else None
            return Response({"count": found.count, "newest": newest})
        job = replay_jobs.begin(
            project, fields["filter"], per_second=fields["per_second"], user=self.user
        )
        return Response(shapes.replay_job(job), status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=shown.SampleSerializer, responses=shown.EventSerializer)
    @action(detail=True, methods=["post"])
    def sample(self, request: Request, pk: str) -> Response:
        """Keep the event as a sample for building workflows, or let it go again."""
        event = self.get_object()
        fields = self.read(shown.SampleSerializer)
        replaying.mark_sample(event, user=self.user, is_sample=fields["is_sample"])
        return Response(shapes.event_row(event))


class ReplayJobViewSet(ProjectViewSet):
    """Replays of many events. `POST /api/v1/events/replay/` begins one."""

    serializer_class = shown.ReplayJobSerializer
    order_fields = ("id",)
    policy: ClassVar[Mapping[str, str]] = {
        "list": "event.read",
        "retrieve": "event.read",
        "cancel": "event.replay",
    }

    def get_queryset(self) -> ProjectQuerySet:
        """Return the jobs that the user may see."""
        return ReplayJob.objects.visible_to(self.user)

    def list(self, request: Request) -> Response:
        """List replays, newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([shapes.replay_job(row) for row in page or ()])

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show how far a replay is."""
        return Response(shapes.replay_job(self.get_object()))

    @extend_schema(request=shown.NothingToSaySerializer, responses=shown.ReplayJobSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop a replay; what it did stays."""
        job = self.get_object()
        self.read(shown.NothingToSaySerializer)
        return Response(shapes.replay_job(replay_jobs.cancel(job, user=self.user)))


@contextmanager
def _in_time(request: Request) -> Iterator[None]:
    """Let a search of texts take five seconds at most. Raises InvalidInput when it takes longer."""
    if not request.query_params.get("search"):
        yield
        return
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {SEARCH_MS}")
            yield
            cursor.execute("SET LOCAL statement_timeout TO DEFAULT")
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise InvalidInput(
                "The search takes too long: name a shorter time (received_after, received_before) "
                "or a source."
            ) from error
        raise
