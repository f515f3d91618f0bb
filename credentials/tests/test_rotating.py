from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from credentials import vault
from credentials.models import UserCredential
from credentials.rotating import count_outdated, rotate_all, sealed_columns
from credentials.storing import create_credential
from leadsend.access.models import Project, User
from registry.seeding import seed_registry


@pytest.fixture
def rows(db, settings):
    settings.FERNET_KEYS = ["first-key"]
    seed_registry()
    project = Project.objects.create(name="Sales", slug="sales")
    ana = User.objects.create_user("ana@example.com")
    made = [
        create_credential(
            project_id=project.pk,
            owner=ana,
            name=f"c{number}",
            type_key="bearer",
            fields={"token": f"token-{number}"},
        )
        for number in range(5)
    ]
    settings.FERNET_KEYS = ["second-key", "first-key"]
    return made


def token(row):
    return vault.open_credential(row.pk, project_id=row.project_id)["token"]


def test_after_a_rotation_the_old_key_is_not_needed(rows, settings):
    rotate_all()

    settings.FERNET_KEYS = ["second-key"]
    assert count_outdated(UserCredential, "sealed") == 0
    assert [token(row) for row in rows] == [f"token-{number}" for number in range(5)]
    assert set(UserCredential.objects.values_list("key_id", flat=True)) == {vault.current_key_id()}


def test_a_second_rotation_finds_nothing_to_do(rows):
    rotate_all()

    assert sum(done.resealed for done in rotate_all()) == 0


def test_a_damaged_row_harms_only_itself(rows):
    UserCredential.objects.filter(pk=rows[2].pk).update(sealed="0123456789ab:damaged")

    with pytest.raises(CommandError, match=r"user_credentials\.sealed 1"):
        call_command("rotate_credentials")
    assert [token(row) for row in rows if row.pk != rows[2].pk] == [
        "token-0",
        "token-1",
        "token-3",
        "token-4",
    ]


def test_every_batch_is_taken(rows, monkeypatch):
    monkeypatch.setattr("credentials.rotating.BATCH", 2)

    assert sum(done.resealed for done in rotate_all()) == 5


def test_every_sealed_column_of_every_app_is_rotated():
    columns = {f"{model._meta.db_table}.{field}" for model, field in sealed_columns()}

    assert {
        "user_credentials.sealed",
        "webhook_endpoint.sealed_secret",
        "webhook_endpoint.sealed_previous_secret",
        "workflow_variable.sealed",
    } <= columns
