"""Who may do what, by role, by token, and what strangers get."""

from __future__ import annotations

import pytest

from leadsend.access import policy
from leadsend.access.authentication import narrowed
from leadsend.access.models import Role, User
from leadsend.access.tokens import create_token
from leadsend.lib.errors import NotAllowed, NotFound
from leadsend.testing.factories import make_project, make_user
from leadsend.testing.personas import make_people

pytestmark = pytest.mark.django_db

ORDER = list(Role.values)


def test_each_role_may_all_that_lower_roles_may():
    people = make_people()

    for permission, level in policy.PERMISSIONS.items():
        if level not in ORDER:
            continue
        for role, user in people.by_role().items():
            expected = ORDER.index(role) >= ORDER.index(level)
            assert policy.may(user, permission, people.project.pk) is expected, (permission, role)


def test_a_stranger_is_told_that_there_is_nothing():
    people = make_people()

    with pytest.raises(NotFound):
        policy.require(people.eve, "workflow.read", people.project.pk)
    with pytest.raises(NotAllowed):
        policy.require(people.vic, "workflow.edit", people.project.pk)


def test_a_superuser_may_everything_everywhere():
    root = make_user("root@example.com", is_superuser=True)
    project = make_project()

    assert all(policy.may(root, permission, project.pk) for permission in policy.PERMISSIONS)


def test_an_inactive_user_may_nothing_but_what_is_public():
    people = make_people()
    people.ana.is_active = False

    allowed = {
        permission
        for permission in policy.PERMISSIONS
        if policy.may(people.ana, permission, people.project.pk)
    }
    assert allowed == {"public"}


@pytest.mark.parametrize("scope", list(policy.SCOPES))
def test_a_token_lets_through_no_more_than_its_scope(scope):
    people = make_people()
    ana = _through_token(people.ana, people.project, [scope])

    for permission, level in policy.PERMISSIONS.items():
        if level not in ORDER:
            continue
        expected = ORDER.index(policy.SCOPES[scope]) >= ORDER.index(level)
        assert policy.may(ana, permission, people.project.pk) is expected, permission


def test_a_token_gives_no_role_that_its_user_lacks():
    people = make_people()
    vic = _through_token(people.vic, people.project, ["admin"])

    assert policy.may(vic, "workflow.read", people.project.pk)
    assert not policy.may(vic, "workflow.edit", people.project.pk)


def test_a_token_for_one_permission_lets_only_that_through():
    people = make_people()
    ana = _through_token(people.ana, people.project, ["workflow.run"])

    assert policy.may(ana, "workflow.run", people.project.pk)
    assert not policy.may(ana, "workflow.read", people.project.pk)
    assert not policy.may(ana, "registry.read")


def test_a_superusers_token_stays_in_its_project():
    root = make_user("root@example.com", is_superuser=True)
    here, there = make_project(), make_project()
    narrow = _through_token(root, here, ["admin"])

    assert policy.may(narrow, "workflow.edit", here.pk)
    assert not policy.may(narrow, "workflow.read", there.pk)
    assert not policy.may(narrow, "installation.manage")
    assert list(narrow.projects()) == [here]


def test_a_token_of_a_former_member_opens_nothing():
    people = make_people()
    row, _ = create_token(user=people.ben, project=people.project, name="x", scopes=["edit"])
    people.ben.memberships.all().delete()

    user = narrowed(type(row).objects.get(pk=row.pk))

    assert user.roles == {}
    assert not policy.may(user, "workflow.read", people.project.pk)


def test_the_projects_of_a_permission_leave_out_lower_roles():
    people = make_people()
    people.eve.memberships.create(project=people.project, role=Role.VIEWER)
    eve = User.objects.get(pk=people.eve.pk)

    assert policy.projects_where(eve, "audit.read") == [people.strange_project.pk]
    assert set(policy.projects_where(eve, "workflow.read")) == {
        people.project.pk,
        people.strange_project.pk,
    }


def _through_token(user, project, scopes):
    row, _ = create_token(user=user, project=project, name="of a test", scopes=scopes)
    return narrowed(type(row).objects.get(pk=row.pk))
