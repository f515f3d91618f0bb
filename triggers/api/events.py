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
from triggers import replaying
from triggers.api import serializers as shown
from triggers.api import shapes
from triggers.api.filters import EventFilter
from triggers.models import TriggerEvent

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

    @extend_schema(request=shown.SampleSerializer, responses=shown.EventSerializer)
    @action(detail=True, methods=["post"])
    def sample(self, request: Request, pk: str) -> Response:
        """Keep the event as a sample for building workflows, or let it go again."""
        event = self.get_object()
        fields = self.read(shown.SampleSerializer)
        replaying.mark_sample(event, user=self.user, is_sample=fields["is_sample"])
        return Response(shapes.event_row(event))


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
