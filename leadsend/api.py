"""The REST root: ``/api/v1/`` from what each app offers, the OpenAPI document, and its viewer.

An app offers ``ROUTES``, a sequence of ``(path, viewset, basename)``, in ``<app>/api/routes.py``
or ``<app>/api.py``. A path may hold a pattern, for what lies under a resource of another app.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from leadsend.lib.api import PolicyView
from leadsend.lib.errors import NotFound

APPS = ("leadsend.access", "registry", "credentials", "workflows", "runtime", "triggers")

Route = tuple[str, type[Any], str]


def routes() -> Iterator[Route]:
    """Yield what the apps offer, lowest app first."""
    for app in APPS:
        name = _module_of(app)
        if name is not None:
            yield from import_module(name).ROUTES


def urls() -> list[URLPattern | URLResolver]:
    """Return the patterns of ``/api/``."""
    router = SimpleRouter()
    for prefix, viewset, basename in routes():
        router.register(prefix, viewset, basename=basename)
    return [
        path("schema/", SchemaView.as_view(), name="api-schema"),
        path("docs/", DocsView.as_view(url_name="api-schema"), name="api-docs"),
        path("v1/", include(router.urls)),
        re_path("^", UnknownPathView.as_view()),
    ]


class SchemaView(PolicyView, SpectacularAPIView):
    """The OpenAPI 3.1 document; ``?format=json`` or ``yaml``. It holds nothing secret."""

    policy: ClassVar[Mapping[str, str]] = {"get": "public"}
    renderer_classes = [OpenApiJsonRenderer, OpenApiYamlRenderer]
    permission_classes = PolicyView.permission_classes


class DocsView(PolicyView, SpectacularSwaggerSplitView):
    """The viewer of the document, served by LeadSend itself: no inline script, no other host."""

    template_name = "api/docs.html"
    policy: ClassVar[Mapping[str, str]] = {"get": "public"}
    permission_classes = PolicyView.permission_classes


class UnknownPathView(PolicyView):
    """Answers 404 in the envelope for what is no path of the API."""

    policy: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("get", "post", "put", "patch", "delete"), "public"
    )
    schema = None

    def get(self, request: Request) -> Response:
        """Raise NotFound."""
        raise NotFound("There is nothing at this address; /api/docs/ lists what there is.")

    post = put = patch = delete = get


def _module_of(app: str) -> str | None:
    try:
        if find_spec(f"{app}.api.routes"):
            return f"{app}.api.routes"
    except ModuleNotFoundError:
        pass  # api is a module or is not there
    return f"{app}.api" if find_spec(f"{app}.api") else None
