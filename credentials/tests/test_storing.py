from __future__ import annotations

import pytest

from credentials import vault
from credentials.models import UserCredential
from credentials.storing import change_credential, create_credential, delete_credential
from leadsend.access.models import Project, User
from leadsend.lib.errors import Conflict, InvalidInput
from registry.seeding import seed_registry

TOKEN = "tok-0123456789-abcd-WXYZ"


@pytest.fixture
def project(db):
    seed_registry()
    return Project.objects.create(name="Sales", slug="sales")


@pytest.fixture
def ana(project):
    return User.objects.create_user("ana@example.com")


@pytest.fixture
def make(project, ana):
    def make(name="CRM", type_key="basic", **fields):
        return create_credential(
            project_id=project.pk,
            owner=ana,
            name=name,
            type_key=type_key,
            fields=fields or {"user": "ana", "password": TOKEN},
        )

    return make


def opened(row):
    return vault.open_credential(row.pk, project_id=row.project_id)


def test_secret_fields_are_sealed_and_public_ones_are_not(make):
    row = make()

    assert row.public == {"user": "ana"}
    assert TOKEN not in UserCredential.objects.defer(None).get(pk=row.pk).sealed
    assert (row.hint, row.key_id) == ("WXYZ", vault.current_key_id())
    assert opened(row) == {"type": "basic", "user": "ana", "password": TOKEN}


def test_a_short_secret_gives_no_hint(make):
    assert make(user="ana", password="short").hint == ""


def test_a_secret_left_out_of_a_change_stays(make):
    row = change_credential(make(), fields={"user": "ben"})

    assert opened(row) == {"type": "basic", "user": "ben", "password": TOKEN}


def test_a_secret_can_be_replaced_and_the_name_changed(make):
    row = change_credential(make(), name="Old CRM", fields={"password": "another"})

    assert row.name == "Old CRM"
    assert opened(row)["password"] == "another"


@pytest.mark.parametrize(
    ("type_key", "fields"),
    [
        ("basic", {"user": "ana"}),
        ("basic", {"user": "ana", "password": ""}),
        ("basic", {"user": "ana", "password": 5}),
        ("basic", {"user": "ana", "password": TOKEN, "extra": TOKEN}),
        ("api_key", {"key": TOKEN, "header": "X Y"}),
        ("nonsense", {}),
    ],
)
def test_fields_that_do_not_fit_are_named_without_their_values(make, type_key, fields):
    with pytest.raises(InvalidInput) as refusal:
        make(type_key=type_key, **fields)

    assert TOKEN not in str([refusal.value.message, *refusal.value.problems])
    assert UserCredential.objects.count() == 0


def test_a_name_is_used_once_in_a_project_whatever_its_case(make):
    make(name="CRM")

    with pytest.raises(Conflict, match="crm"):
        make(name="crm")
    with pytest.raises(Conflict):
        change_credential(make(name="Other"), name="Crm")


def test_a_credential_can_be_deleted(make):
    delete_credential(make())

    assert UserCredential.objects.count() == 0
