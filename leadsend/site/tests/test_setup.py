"""The set-up page."""

from __future__ import annotations

import pytest

from leadsend.access.models import Organisation, Project, Team, User
from registry.models import ActionEntry

SETUP = "/setup/"
ANSWERS = {
    "organisation": "Acme",
    "name": "Ana",
    "email": "Ana@example.com",
    "password": "correct-horse-battery",
    "timezone": "Europe/Berlin",
}


def test_the_set_up_makes_an_owner_signs_in_and_seeds(client, db):
    answer = client.post(SETUP, ANSWERS)

    owner = User.objects.get()
    assert answer["Location"] == "/"
    assert client.session["_auth_user_id"] == str(owner.pk)
    assert (owner.email, owner.timezone) == ("ana@example.com", "Europe/Berlin")
    assert Project.objects.count() == 1
    assert Team.objects.get().key == "sales_team"
    assert ActionEntry.objects.exists()
    assert "Start with a ready workflow" in client.get("/").text


def test_it_can_be_done_once(client, db):
    client.post(SETUP, ANSWERS)
    again = client.post(SETUP, {**ANSWERS, "email": "eve@example.com"})

    assert again["Location"] == "/login/"
    assert User.objects.count() == 1


def test_who_is_second_in_a_race_is_sent_to_sign_in(client, db, monkeypatch):
    Organisation.objects.create(name="Faster")
    monkeypatch.setattr("leadsend.access.people.is_set_up", lambda: False)

    assert client.post(SETUP, ANSWERS)["Location"] == "/login/"
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("organisation", ""),
        ("organisation", "a\0b"),
        ("name", ""),
        ("email", "no address"),
        ("password", "short"),
        ("password", "password1234"),
    ],
)
def test_bad_answers_are_refused_at_their_field(client, db, field, value):
    answer = client.post(SETUP, {**ANSWERS, field: value})

    assert answer.status_code == 200
    assert field in answer.context["form"].errors
    assert not Organisation.objects.exists()


def test_a_zone_nobody_knows_is_utc(client, db):
    client.post(SETUP, {**ANSWERS, "timezone": "Mars/Olympus"})

    assert User.objects.get().timezone == "UTC"
