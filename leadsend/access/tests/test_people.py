"""Setting up the organisation, and membership in projects."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from leadsend.access import people
from leadsend.access.authentication import find_token
from leadsend.access.models import AuditEntry, Organisation, Role, User
from leadsend.lib.errors import Conflict, InvalidInput
from leadsend.testing.factories import make_user
from leadsend.testing.personas import make_people

pytestmark = pytest.mark.django_db

ANSWERS = {
    "organisation": "Acme",
    "name": "Ana",
    "email": "Ana@Example.com",
    "password": "a-long-enough-one",
}


def test_set_up_makes_the_owner_admin_of_the_first_project():
    made = people.set_up_organisation(**ANSWERS)

    assert people.is_set_up()
    assert made.owner.email == "ana@example.com"
    assert made.owner.check_password(ANSWERS["password"])
    assert made.owner.roles == {made.project.pk: Role.ADMIN}
    assert made.project.slug == "main"


def test_set_up_makes_the_sales_team():
    made = people.set_up_organisation(**ANSWERS)

    team = made.owner.teams.get()
    assert (team.key, team.project) == ("sales_team", made.project)


def test_set_up_happens_once():
    people.set_up_organisation(**ANSWERS)

    with pytest.raises(Conflict):
        people.set_up_organisation(**{**ANSWERS, "email": "eve@example.com"})
    assert Organisation.objects.count() == 1
    assert not User.objects.filter(email="eve@example.com").exists()


@pytest.mark.parametrize(
    ("field", "value"), [("organisation", " "), ("email", "no"), ("password", "short")]
)
def test_set_up_says_which_answer_is_not_good(field, value):
    with pytest.raises(InvalidInput) as refused:
        people.set_up_organisation(**{**ANSWERS, field: value})

    assert next(problem.path for problem in refused.value.problems) == f"/{field}"
    assert not people.is_set_up()


def test_a_member_is_added_changed_and_removed_with_an_entry_each():
    crew = make_people()
    newcomer = make_user("new@example.com")

    row = people.add_member(project=crew.project, user=newcomer, role="viewer", actor=crew.ana)
    people.change_role(row, role="builder", actor=crew.ana)
    people.remove_member(row, actor=crew.ana)

    acts = AuditEntry.objects.order_by("number").values_list("act", flat=True)
    assert list(acts) == ["member.add", "member.change", "member.remove"]
    assert newcomer.memberships.count() == 0


def test_a_member_is_not_added_twice():
    crew = make_people()

    with pytest.raises(Conflict):
        people.add_member(project=crew.project, user=crew.ben, role="viewer", actor=crew.ana)


def test_the_last_admin_can_neither_leave_nor_step_down():
    crew = make_people()
    row = crew.ana.memberships.get()

    with pytest.raises(Conflict):
        people.remove_member(row, actor=crew.ana)
    with pytest.raises(Conflict):
        people.change_role(row, role="viewer", actor=crew.ana)


def test_the_command_prints_a_token_that_works():
    crew = make_people()
    out = StringIO()

    call_command("create_token", "--user", "ben@example.com", "--scope", "read", stdout=out)

    found = find_token(out.getvalue().strip())
    assert found is not None
    assert found.user == crew.ben
    assert found.scopes == ["read"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--user", "nobody@example.com", "--scope", "read"],
        ["--user", "ben@example.com", "--scope", "everything"],
        ["--user", "ben@example.com", "--scope", "read", "--project", "elsewhere"],
        ["--user", "ben@example.com", "--scope", "read", "--days", "0"],
    ],
)
def test_the_command_says_what_is_wrong(arguments):
    make_people()

    with pytest.raises(CommandError):
        call_command("create_token", *arguments)
