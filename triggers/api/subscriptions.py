"""``/api/v1/subscriptions/``: which triggers start which workflows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from leadsend.lib.api import ProjectViewSet
from leadsend.lib.errors import NotFound
from triggers import choosing, subscribing, trying_filters
from triggers.api import serializers as shown
from triggers.api import shapes
from triggers.api.filters import SubscriptionFilter
from triggers.models import Subscription, SubscriptionQuerySet
from workflows.models import Workflow


class SubscriptionViewSet(ProjectViewSet):
    """Subscriptions of the projects one is a member of."""

    serializer_class = shown.SubscriptionSerializer
    filterset_class = SubscriptionFilter
    order_fields = ("id", "created_at", "updated_at")
    policy: ClassVar[Mapping[str, str]] = {
        "list": "subscription.read",
        "retrieve": "subscription.read",
        "create": "subscription.manage",
        "partial_update": "subscription.manage",
        "pause": "subscription.manage",
        "resume": "subscription.manage",
        "try_filter": "event.read",
    }

    def get_queryset(self) -> SubscriptionQuerySet:
        """Return the subscriptions that the user may see."""
        visible: SubscriptionQuerySet = Subscription.objects.visible_to(self.user)
        return visible

    def list(self, request: Request) -> Response:
        """List subscriptions, newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([shapes.subscription(row) for row in page or ()])

    @extend_schema(
        request=shown.NewSubscriptionSerializer,
        responses={201: shown.ChangedSubscriptionSerializer},
    )
    def create(self, request: Request) -> Response:
        """Add a trigger to a workflow; an active workflow is published with it."""
        fields = self.read(shown.NewSubscriptionSerializer)
        workflow = self._workflow(fields.pop("workflow_id"))
        row, answers = choosing.subscribe(workflow, user=self.user, **fields)
        body = {**shapes.subscription(row), **answers}
        return Response(body, status=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a subscription."""
        return Response(shapes.subscription(self.get_object()))

    @extend_schema(
        request=shown.SubscriptionChangeSerializer,
        responses=shown.ChangedSubscriptionSerializer,
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change settings or filter in the draft; ``publish`` makes the draft live."""
        row = self.get_object()
        fields = self.read(shown.SubscriptionChangeSerializer)
        publish = fields.pop("publish")
        row, answers = choosing.change(row, user=self.user, fields=fields, publish=publish)
        return Response({**shapes.subscription(row), **answers})

    @extend_schema(request=shown.NothingToSaySerializer, responses=shown.SubscriptionSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Hold a subscription: its events are kept and start nothing."""
        row = self.get_object()
        self.read(shown.NothingToSaySerializer)
        subscribing.pause(row, user=self.user)
        return Response(shapes.subscription(row))

    @extend_schema(request=shown.ResumeSerializer, responses=shown.ResumedSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Let new events start runs again; with `replay_held` also those that came meanwhile.

        Without it they stay in the inbox of events and start nothing.
        """
        row = self.get_object()
        fields = self.read(shown.ResumeSerializer)
        job = None
        if fields["replay_held"]:
            job = subscribing.resume_with_held(row, user=self.user, per_second=fields["per_second"])
        else:
            subscribing.resume(row, user=self.user)
        told = shapes.replay_job(job) if job is not None else None
        return Response({**shapes.subscription(row), "replay_job": told})

    @extend_schema(request=shown.FilterToTrySerializer, responses=shown.TriedFilterSerializer)
    @action(detail=True, methods=["post"], url_path="try-filter")
    def try_filter(self, request: Request, pk: str) -> Response:
        """Say which of the last 1,000 events a filter would have let through; nothing starts."""
        row = self.get_object()
        fields = self.read(shown.FilterToTrySerializer)
        return Response(shapes.tried(trying_filters.try_filter(row, fields["filter_conditions"])))

    def _workflow(self, workflow_id: UUID) -> Workflow:
        rows: Any = Workflow.objects.visible_to(self.user)
        workflow: Workflow | None = rows.not_deleted().filter(pk=workflow_id).first()
        if workflow is None:
            raise NotFound(f"There is no workflow {workflow_id}.")
        self.check_object_permissions(self.request, workflow)
        return workflow
