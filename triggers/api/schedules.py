"""``/api/v1/schedules/``: when workflows start by the clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from leadsend.access.models import ProjectQuerySet
from leadsend.lib.api import ProjectViewSet
from triggers import coming_ticks, cron, scheduling, timetable
from triggers.api import serializers as shown
from triggers.api import shapes
from triggers.api.filters import ScheduleFilter
from triggers.models import ScheduleTrigger


class ScheduleViewSet(ProjectViewSet):
    """Schedules. Their settings are the trigger's in the workflow's document."""

    serializer_class = shown.ScheduleSerializer
    filterset_class = ScheduleFilter
    order_fields = ("id", "created_at")
    policy: ClassVar[Mapping[str, str]] = {
        "list": "subscription.read",
        "retrieve": "subscription.read",
        "coming": "subscription.read",
        "preview": "registry.read",
        "pause": "subscription.manage",
        "resume": "subscription.manage",
        "run": "workflow.run",
    }

    def get_queryset(self) -> ProjectQuerySet:
        """Return the schedules that the user may see."""
        return ScheduleTrigger.objects.visible_to(self.user)

    def list(self, request: Request) -> Response:
        """List schedules, newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([shapes.schedule(row) for row in page or ()])

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a schedule."""
        return Response(shapes.schedule(self.get_object()))

    @extend_schema(responses=shown.ComingTicksSerializer)
    @action(detail=True, methods=["get"])
    def coming(self, request: Request, pk: str) -> Response:
        """Show the next ten times, with those that a holiday takes out."""
        row = self.get_object()
        return Response(shapes.coming(row.cron, coming_ticks.of_schedule(row)))

    @extend_schema(request=shown.PreviewSerializer, responses=shown.ComingTicksSerializer)
    @action(detail=False, methods=["post"], pagination_class=None)
    def preview(self, request: Request) -> Response:
        """Say what rules mean before anybody saves them: in words, and the next times."""
        asked = self.read(shown.PreviewSerializer)
        rules, zone = timetable.parse(asked["cron"]), cron.zone_of(asked["timezone"])
        closed = coming_ticks.holidays(asked["calendar"]) if asked["skip_holidays"] else ()
        now = scheduling.database_now()
        ticks = coming_ticks.of_rules(rules, zone, after=now, count=asked["count"], closed=closed)
        return Response(shapes.coming(asked["cron"], ticks))

    @extend_schema(request=shown.NothingToSaySerializer, responses=shown.ScheduleSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Let no time fire until it is resumed; nothing of that is made up for."""
        row = self.get_object()
        self.read(shown.NothingToSaySerializer)
        scheduling.pause(row, user=self.user)
        return Response(shapes.schedule(row))

    @extend_schema(request=shown.NothingToSaySerializer, responses=shown.ScheduleSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Let the next time from now on fire."""
        row = self.get_object()
        self.read(shown.NothingToSaySerializer)
        scheduling.resume(row, user=self.user)
        return Response(shapes.schedule(row))

    @extend_schema(request=shown.NothingToSaySerializer, responses={202: shown.FiredSerializer})
    @action(detail=True, methods=["post"])
    def run(self, request: Request, pk: str) -> Response:
        """Start the workflow now, as if its time had come."""
        row = self.get_object()
        self.read(shown.NothingToSaySerializer)
        accepted = scheduling.fire_now(row, user=self.user)
        return Response(accepted.answer, status=status.HTTP_202_ACCEPTED)
