"""A route without a policy stops the start."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import get_resolver, path
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from leadsend.access.pages import page
from leadsend.checks import check_policies, complaints, routes_of
from leadsend.lib.api import ProjectViewSet


def test_every_route_of_the_project_has_a_policy():
    assert check_policies() == []
    assert len(list(routes_of(get_resolver().url_patterns))) > 30


def test_a_page_without_a_permission_is_found():
    def forgotten(request):
        return HttpResponse("")

    assert _found([path("x/", forgotten)]) == ["the page names no permission"]


def test_a_page_with_a_permission_passes():
    @page("workflow.read")
    def kept(request):
        return HttpResponse("")

    assert _found([path("x/", kept)]) == []


def test_a_rest_view_without_a_policy_is_found():
    class Forgotten(APIView):
        def get(self, request): ...

    assert _found([path("x/", Forgotten.as_view())]) == ["the policy has no permission for “get”"]


def test_an_action_that_the_policy_leaves_out_is_found():
    class Rows(ProjectViewSet):
        policy = {"list": "workflow.read"}

        def list(self, request): ...

        def destroy(self, request, pk): ...

    assert _found(_routed(Rows)) == ["the policy has no permission for “destroy”"]


def test_a_permission_that_does_not_exist_is_found():
    class Rows(ProjectViewSet):
        policy = {"list": "workflow.raed"}

        def list(self, request): ...

    assert _found(_routed(Rows)) == ["the policy has no permission for “list”"]


def test_a_view_that_asks_nobody_is_found():
    class Rows(ProjectViewSet):
        policy = {"list": "workflow.read"}
        permission_classes = []

        def list(self, request): ...

    assert _found(_routed(Rows)) == ["permission_classes is empty"]


def _routed(viewset):
    router = SimpleRouter()
    router.register("rows", viewset, basename="row")
    return router.urls


def _found(patterns):
    return [complaint for _, _, complaint in complaints(patterns)]
