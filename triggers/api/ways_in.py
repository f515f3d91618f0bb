"""``/api/v1/webhook-endpoints/``, ``forms/``: addresses that publishing made of triggers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from leadsend.access.models import ProjectQuerySet
from leadsend.lib.api import ProjectViewSet
from triggers import deliveries, sender_samples, subscribing
from triggers.api import serializers as shown
from triggers.api import shapes
from triggers.api.filters import EndpointFilter, FormFilter
from triggers.models import HostedForm, WebhookEndpoint


class EndpointViewSet(ProjectViewSet):
    """Webhook addresses. Their settings are the trigger's in the workflow's document."""

    serializer_class = shown.EndpointSerializer
    filterset_class = EndpointFilter
    order_fields = ("id", "created_at")
    policy: ClassVar[Mapping[str, str]] = {
        "list": "subscription.read",
        "retrieve": "subscription.read",
        "rotate": "subscription.manage",
        "deliveries": "event.read",
        "samples": "subscription.read",
    }

    def get_queryset(self) -> ProjectQuerySet:
        """Return the endpoints that the user may see."""
        return WebhookEndpoint.objects.visible_to(self.user)

    def list(self, request: Request) -> Response:
        """List endpoints, newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([shapes.endpoint(row) for row in page or ()])

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show an endpoint."""
        return Response(shapes.endpoint(self.get_object()))

    @extend_schema(responses=shown.DeliverySerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=None, filterset_class=None)
    def deliveries(self, request: Request, pk: str) -> Response:
        """Show the last fifty requests: what was answered, and why nothing started."""
        return Response([shapes.delivery(one) for one in deliveries.of_endpoint(self.get_object())])

    @extend_schema(responses=shown.SamplesSerializer)
    @action(detail=True, methods=["get"])
    def samples(self, request: Request, pk: str) -> Response:
        """Show programs that send to this webhook, ready to be copied; without its secret."""
        return Response(sender_samples.samples_of(self.get_object()))

    @extend_schema(request=shown.SecretSerializer, responses=shown.EndpointSerializer)
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, pk: str) -> Response:
        """Make a new secret, shown in this answer only; the old one stays good for 24 hours.

        Stripe, Slack and Shopify make the secret themselves: send it as ``secret``.
        """
        row = self.get_object()
        given = self.read(shown.SecretSerializer)
        secret = subscribing.rotate_secret(row, user=self.user, secret=given.get("secret", ""))
        return Response(shapes.endpoint(row, secret=secret))


class FormViewSet(ProjectViewSet):
    """Forms that LeadSend shows. Their settings are the trigger's in the workflow's document."""

    serializer_class = shown.FormSerializer
    filterset_class = FormFilter
    order_fields = ("id", "created_at")
    policy: ClassVar[Mapping[str, str]] = {
        "list": "subscription.read",
        "retrieve": "subscription.read",
    }

    def get_queryset(self) -> ProjectQuerySet:
        """Return the forms that the user may see."""
        return HostedForm.objects.visible_to(self.user)

    def list(self, request: Request) -> Response:
        """List forms, newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([shapes.form(row) for row in page or ()])

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a form."""
        return Response(shapes.form(self.get_object()))
