from __future__ import annotations

from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command

from registry.catalog import catalog
from registry.models import ActionEntry, CredentialTypeEntry, TriggerEntry
from registry.seeding import seed_registry

pytestmark = pytest.mark.django_db


@pytest.fixture
def _empty():
    for model in (ActionEntry, TriggerEntry, CredentialTypeEntry):
        model.objects.all().delete()


@pytest.mark.usefixtures("_empty")
def test_seeding_adds_everything_once():
    added = seed_registry()

    assert {change.what for change in added} == {"added"}
    assert set(ActionEntry.objects.values_list("key", flat=True)) == set(catalog().actions)
    assert seed_registry() == []


def test_a_changed_contract_is_updated_and_told():
    seed_registry()
    actions = dict(catalog().actions)
    actions["set_fields"] = replace(actions["set_fields"], title="Make fields")

    changes = seed_registry(known=replace(catalog(), actions=actions))

    assert [str(change) for change in changes] == [
        "workflow_action_registry set_fields: updated title"
    ]
    assert ActionEntry.objects.get(key="set_fields").title == "Make fields"


def test_what_left_the_code_is_deprecated_and_never_deleted():
    seed_registry()
    actions = dict(catalog().actions)
    del actions["set_fields"]

    changes = seed_registry(known=replace(catalog(), actions=actions))

    assert [(change.key, change.what) for change in changes] == [("set_fields", "deprecated")]
    assert ActionEntry.objects.get(key="set_fields").is_deprecated
    seed_registry()
    assert not ActionEntry.objects.get(key="set_fields").is_deprecated


def test_what_the_operator_switched_off_stays_off():
    seed_registry()
    ActionEntry.objects.filter(key="http_request").update(is_enabled=False, title="old")

    seed_registry()

    entry = ActionEntry.objects.get(key="http_request")
    assert (entry.is_enabled, entry.title) == (False, "Call a web address")


@pytest.mark.usefixtures("_empty")
def test_check_changes_nothing_and_fails_while_there_is_a_difference(capsys):
    with pytest.raises(CommandError, match=r"run manage\.py"):
        call_command("seed_registry", "--check")
    assert not ActionEntry.objects.exists()

    call_command("seed_registry")
    call_command("seed_registry", "--check")
    assert "up to date" in capsys.readouterr().out
