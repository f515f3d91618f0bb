"""The base of REST views: deny by default, and no answer that the policy was not asked for."""

from __future__ import annotations

import pytest
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate

from leadsend.access.models import User
from leadsend.lib.api import ProjectViewSet
from leadsend.testing.factories import make_project
from leadsend.testing.personas import make_people

pytestmark = pytest.mark.django_db


class Rows(ProjectViewSet):
    """Answers everything with nothing, asking only where it says so."""

    policy = {"list": "workflow.read", "retrieve": "workflow.read", "create": "workflow.edit"}
    asks = True

    def list(self, request):
        return Response([])

    def retrieve(self, request, pk):
        return self._answer(request)

    def create(self, request):
        return self._answer(request)

    def destroy(self, request, pk):
        return Response({})

    def _answer(self, request):
        if self.asks:
            self.project()
        return Response({})


class ForgetfulRows(Rows):
    """Forgets to ask."""

    asks = False


@pytest.fixture
def people():
    return make_people()


@pytest.mark.parametrize(("method", "action"), [("get", "retrieve"), ("post", "create")])
def test_an_answer_without_asking_is_not_handed_out(people, method, action):
    with pytest.raises(RuntimeError, match="check_object_permissions"):
        _call(ForgetfulRows, people.ben, method, action)

    assert _call(Rows, people.ben, method, action).status_code == 200


def test_a_list_needs_no_asking_as_it_is_narrowed(people):
    assert _call(ForgetfulRows, people.vic, "get", "list").status_code == 200


def test_an_action_without_a_policy_is_refused_to_everybody(people):
    assert _call(Rows, people.ana, "delete", "destroy").status_code == 403


@pytest.mark.parametrize(("who", "status"), [("vic", 403), ("ben", 200), ("eve", 200)])
def test_a_create_needs_the_permission_in_the_project_it_goes_to(people, who, status):
    assert _call(Rows, getattr(people, who), "post", "create").status_code == status


def test_a_foreign_project_is_not_known(people):
    answer = _call(Rows, people.ana, "post", "create", {"project": people.strange_project.slug})

    assert answer.status_code == 400
    assert answer.data["problems"][0]["path"] == "/project"


def test_with_several_projects_one_has_to_be_named(people):
    other = make_project()
    people.ben.memberships.create(project=other, role="builder")
    ben = User.objects.get(pk=people.ben.pk)

    assert _call(Rows, ben, "post", "create").status_code == 400
    assert _call(Rows, ben, "post", "create", {"project": str(other.pk)}).status_code == 200
    assert _call(Rows, ben, "post", "create", {"project": other.slug}).status_code == 200


def test_an_address_without_an_id_is_not_found(people):
    answer = _call(Rows, people.ana, "get", "retrieve", pk="-" * 36)

    assert answer.status_code == 404


def test_a_parameter_with_nul_is_refused(people):
    request = APIRequestFactory().get("/rows/?a=%00")
    force_authenticate(request, people.ana)

    assert Rows.as_view({"get": "list"})(request).status_code == 400


def _call(kind, user, method, action, data=None, *, pk="00000000-0000-7000-8000-000000000000"):
    request = getattr(APIRequestFactory(), method)("/rows/", data)
    force_authenticate(request, user)
    given = {"pk": pk} if action in {"retrieve", "destroy"} else {}
    return kind.as_view({method: action})(request, **given)
