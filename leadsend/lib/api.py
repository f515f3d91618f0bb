"""The base of every REST view: deny by default, one table of permissions, guarded parameters.

What the framework's settings name (parser, renderer, paging, error envelope) is in
``leadsend.lib.rest``, which must not import the framework's views.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from leadsend.lib.errors import InvalidInput, NotFound
from leadsend.lib.rest.serializers import StrictModelSerializer, StrictSerializer

__all__ = [
    "PolicyView",
    "ProjectViewSet",
    "StrictModelSerializer",
    "StrictSerializer",
    "is_uuid",
    "project_of",
]


class PolicyView(APIView):
    """An API view whose ``policy`` names the permission that each action (or method) needs.

    ``must_ask`` is set by the permission class when the permission is one of a project; the view
    then has to call ``check_object_permissions`` with a row before it answers.
    """

    policy: ClassVar[Mapping[str, str]] = {}
    must_ask = False
    has_asked = False

    @property
    def user(self) -> Any:
        """Return who asks; the policy has let them in."""
        return self.request.user

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse parameters that no database takes before anything looks at them."""
        for name, values in request.query_params.lists():
            if any("\x00" in text for text in (name, *values)):
                raise InvalidInput("A parameter of the address holds the character NUL.")
        super().initial(request, *args, **kwargs)

    def check_object_permissions(self, request: Request, obj: Any) -> None:
        """Ask the policy about a row. Raises NotAllowed, or NotFound when it is not visible."""
        super().check_object_permissions(request, obj)
        self.has_asked = True

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        """Refuse to hand out an answer that the policy was not asked for (an error of ours)."""
        if self.must_ask and not self.has_asked and response.status_code < 400:
            raise RuntimeError(
                f"{type(self).__name__} answered without check_object_permissions: add the call."
            )
        answer: Response = super().finalize_response(request, response, *args, **kwargs)
        return answer

    def read(self, serializer: type[Serializer[Any]], data: Any = None) -> dict[str, Any]:
        """Return the request's body (or ``data``) as the serializer describes it."""
        form = serializer(data=self.request.data if data is None else data)
        form.is_valid(raise_exception=True)
        fields: dict[str, Any] = form.validated_data
        return fields


class ProjectViewSet(PolicyView, GenericViewSet[Any]):
    """Base of the views on rows of projects; ``get_queryset`` starts from ``visible_to``.

    ``order_fields`` are what ``?order=`` may name: columns that are never null.
    """

    lookup_value_regex = "[0-9a-fA-F-]{32,36}"
    lookup_is_uuid = True
    order_fields: ClassVar[tuple[str, ...]] = ("id",)
    default_order = "-id"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Answer 404 for an id in the address that is none."""
        lookup = self.lookup_url_kwarg or self.lookup_field
        for name, value in kwargs.items():
            is_id = self.lookup_is_uuid if name == lookup else name.endswith("_id")
            if is_id and not is_uuid(value):
                raise NotFound("There is no such object.")
        super().initial(request, *args, **kwargs)

    def project(self) -> Any:
        """Return the project that a new row goes to, in which the user may do this."""
        project = project_of(self.request)
        self.check_object_permissions(self.request, project)
        return project


def project_of(request: Request) -> Any:
    """Return the project a new row goes to: the one named by id or slug, else the only one.

    The name stands in the body or the query as ``project``. Raises InvalidInput when the user has
    several and names none, or none that the user sees has this name.
    """
    body = request.data if isinstance(request.data, Mapping) else {}
    wanted = body.get("project", request.query_params.get("project"))
    return request.user.project_named(None if wanted is None else str(wanted))  # type: ignore[union-attr]  # ours


def is_uuid(text: str) -> bool:
    """Tell whether a text is a UUID."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True
