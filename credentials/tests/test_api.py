"""Credentials over REST: secrets go in and never come out."""

from __future__ import annotations

import pytest

from credentials import vault
from credentials.models import UserCredential
from leadsend.access.models import AuditEntry
from leadsend.testing.personas import api_of, make_people
from registry.seeding import seed_registry

pytestmark = pytest.mark.django_db

SECRET = "canary-7f3e9a51c2d84b60"
BODY = {"name": "CRM", "type": "bearer", "fields": {"token": SECRET}}


@pytest.fixture
def people():
    seed_registry()
    return make_people()


@pytest.fixture
def ana(people):
    return api_of(people.ana)


def test_a_secret_goes_in_and_never_comes_out(people, ana):
    made = ana.post("/api/v1/credentials/", BODY)
    url = f"/api/v1/credentials/{made.json()['id']}/"
    answers = [made, ana.get(url), ana.get("/api/v1/credentials/"), ana.get("/api/v1/audit/")]

    assert made.status_code == 201, made.json()
    assert all(SECRET not in answer.content.decode() for answer in answers)
    assert made.json()["hint"] == SECRET[-4:]
    opened = vault.open_credential(made.json()["id"], project_id=people.project.pk)
    assert opened["token"] == SECRET


def test_a_secret_left_out_stays(people, ana):
    made = ana.post("/api/v1/credentials/", BODY).json()

    changed = ana.patch(f"/api/v1/credentials/{made['id']}/", {"name": "CRM, new"})

    assert changed.json()["name"] == "CRM, new"
    opened = vault.open_credential(made["id"], project_id=people.project.pk)
    assert opened["token"] == SECRET


def test_changes_are_in_the_audit_log_without_values(ana):
    made = ana.post("/api/v1/credentials/", BODY).json()
    ana.patch(f"/api/v1/credentials/{made['id']}/", {"fields": {"token": "another-canary-0001"}})
    ana.delete(f"/api/v1/credentials/{made['id']}/")

    entries = AuditEntry.objects.filter(act__startswith="credential.").order_by("number")
    assert [entry.act for entry in entries] == [
        "credential.create",
        "credential.change",
        "credential.delete",
    ]
    assert "canary" not in str([entry.detail for entry in entries])
    assert not UserCredential.objects.exists()


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"fields": {}}, "/fields/"),
        ({"fields": {"token": SECRET, "more": 1}}, "/fields/"),
        ({"fields": "x"}, "/fields"),
        ({"name": ""}, "/name"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_place_without_repeating_it(ana, change, path):
    answer = ana.post("/api/v1/credentials/", {**BODY, **change})

    assert answer.status_code == 400
    assert answer.json()["problems"][0]["path"] == path
    assert SECRET not in answer.content.decode()


def test_a_name_is_used_once(ana):
    ana.post("/api/v1/credentials/", BODY)

    assert ana.post("/api/v1/credentials/", {**BODY, "name": "crm"}).status_code == 409


def test_viewers_and_operators_see_no_credentials(people, ana):
    made = ana.post("/api/v1/credentials/", BODY).json()

    for user, expected in [(people.vic, 403), (people.olga, 403), (people.ben, 200)]:
        client = api_of(user)
        assert client.get("/api/v1/credentials/").status_code == expected
        assert client.get(f"/api/v1/credentials/{made['id']}/").status_code == expected


def test_credentials_are_found_by_type(ana):
    ana.post("/api/v1/credentials/", BODY)

    assert len(ana.get("/api/v1/credentials/", {"type": "bearer"}).json()["results"]) == 1
    assert ana.get("/api/v1/credentials/", {"type": "basic"}).json()["results"] == []
