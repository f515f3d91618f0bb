from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from credentials import vault
from credentials.models import UserCredential
from credentials.storing import create_credential
from leadsend.access.models import Project, User
from leadsend.lib import ids
from leadsend.lib.errors import ConfigurationError
from leadsend.lib.redaction import MASK, forgetting_secrets, redact_text
from registry.seeding import seed_registry

ROW = ids.uuid7()
OTHER = ids.uuid7()
SECRET = 'pa"ss wörd 🔑'


@pytest.fixture(autouse=True)
def _keys(settings):
    settings.FERNET_KEYS = ["first-key"]
    with forgetting_secrets():
        yield


@pytest.fixture
def project(db):
    seed_registry()
    return Project.objects.create(name="Sales", slug="sales")


@pytest.fixture
def ana(project):
    return User.objects.create_user("ana@example.com")


@pytest.fixture
def credential(project, ana):
    return create_credential(
        project_id=project.pk,
        owner=ana,
        name="CRM",
        type_key="api_key",
        fields={"key": SECRET, "header": "X-Own"},
    )


def sealed(text=SECRET, *, owner=ROW, field="sealed"):
    return vault.seal(text, owner_id=owner, field=field)


def test_what_is_sealed_opens_in_its_place():
    assert vault.unseal(sealed(), owner_id=ROW, field="sealed") == SECRET


def test_a_sealed_text_shows_nothing_and_is_never_the_same_twice():
    assert SECRET not in sealed()
    assert sealed() != sealed()


@pytest.mark.parametrize(("owner", "field"), [(OTHER, "sealed"), (ROW, "sealed_secret")])
def test_a_ciphertext_moved_to_another_place_does_not_open(owner, field):
    with pytest.raises(ConfigurationError) as refusal:
        vault.unseal(sealed(), owner_id=owner, field=field)

    assert refusal.value.code == "secret_moved"


def test_an_old_key_still_opens_and_the_newest_seals(settings):
    old = sealed()
    settings.FERNET_KEYS = ["second-key", "first-key"]

    assert vault.unseal(old, owner_id=ROW, field="sealed") == SECRET
    assert sealed().split(":")[0] == vault.current_key_id() != old.split(":")[0]


def test_a_missing_key_is_named(settings):
    old = sealed()
    settings.FERNET_KEYS = ["second-key"]

    with pytest.raises(ConfigurationError) as refusal:
        vault.unseal(old, owner_id=ROW, field="sealed")
    assert refusal.value.code == "key_missing"
    assert old.split(":")[0] in refusal.value.message


@pytest.mark.parametrize(
    "damage", [lambda s: s[:-4], lambda s: s[:-9] + "AAAAAAAAA", lambda s: "", lambda s: "plain"]
)
def test_a_damaged_ciphertext_says_so(damage):
    with pytest.raises(ConfigurationError) as refusal:
        vault.unseal(damage(sealed()), owner_id=ROW, field="sealed")

    assert refusal.value.code == "secret_damaged"


def test_an_opened_secret_is_hidden_from_logs():
    vault.unseal(sealed(), owner_id=ROW, field="sealed")

    assert redact_text(f"echo {SECRET}") == f"echo {MASK}"


def test_a_credential_opens_with_all_its_fields(project, credential):
    fields = vault.open_credential(str(credential.pk), project_id=project.pk)

    assert fields == {"type": "api_key", "key": SECRET, "header": "X-Own"}
    credential.refresh_from_db()
    assert credential.last_used_at is not None
    assert redact_text(SECRET) == MASK


@pytest.mark.django_db(transaction=True)
def test_a_secret_opened_from_an_event_loop_is_hidden_in_the_callers_context(credential):
    async def call():
        fields = await vault.open_credential_async(credential.pk, project_id=credential.project_id)
        return fields["key"], redact_text(f"echo {SECRET}")

    async def main():
        try:
            return await call()
        finally:
            # The worker thread's connection would keep the test database busy.
            await sync_to_async(connections.close_all, thread_sensitive=False)()

    assert asyncio.run(main()) == (SECRET, f"echo {MASK}")


@pytest.mark.parametrize("wanted", [ids.uuid7(), "nonsense", ""])
def test_a_credential_that_does_not_exist_is_a_matter_of_set_up(project, wanted):
    with pytest.raises(ConfigurationError) as refusal:
        vault.open_credential(wanted, project_id=project.pk)

    assert refusal.value.code == "no_such_connection"


def test_a_credential_of_another_project_does_not_open(project, credential):
    with pytest.raises(ConfigurationError):
        vault.open_credential(credential.pk, project_id=ids.uuid7())


def test_a_sealed_text_copied_from_another_row_does_not_open(project, ana, credential):
    other = create_credential(
        project_id=project.pk, owner=ana, name="B", type_key="bearer", fields={"token": "t"}
    )
    taken = UserCredential.objects.values_list("sealed", flat=True).get(pk=credential.pk)
    UserCredential.objects.filter(pk=other.pk).update(sealed=taken)

    with pytest.raises(ConfigurationError) as refusal:
        vault.open_credential(other.pk, project_id=project.pk)
    assert refusal.value.code == "secret_moved"


def test_a_list_does_not_load_or_open_secrets(project, credential, django_assert_num_queries):
    UserCredential.objects.filter(pk=credential.pk).update(sealed="damaged")

    with django_assert_num_queries(1):
        rows = list(UserCredential.objects.all())
    assert "sealed" in rows[0].get_deferred_fields()
