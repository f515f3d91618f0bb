"""Demo data: everything works, and a second run changes nothing."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from leadsend.access import people
from leadsend.access.models import Membership, Project, Role, User
from leadsend.site import demo
from runtime.models import Execution, OutboxMail, Task
from workflows.models import Workflow

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = ["UX_USER", "UX_PASSWORD", "UX_WF", "UX_RUN", "API_TOKEN"]


@pytest.fixture(autouse=True)
def state_dir(settings, tmp_path):
    settings.STATE_DIR = tmp_path / "state"
    yield settings.STATE_DIR
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS public.lead_sources")


def counts():
    models = apps.get_models(include_auto_created=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM lead_sources")
        leads = cursor.fetchone()[0]
    # Engines come and go; they are no data.
    named = {model._meta.label: model._default_manager.count() for model in models}
    named.pop("runtime.Worker")
    return {**named, "lead_sources": leads}


def seed_by_command():
    out = StringIO()
    call_command("seed_demo", stdout=out)
    return dict(line.split("=", 1) for line in out.getvalue().splitlines())


def test_the_printed_values_sign_in_and_name_what_is_there(client):
    values = seed_by_command()

    assert list(values) == NAMES
    assert client.login(username=values["UX_USER"], password=values["UX_PASSWORD"])
    assert Workflow.objects.get(pk=values["UX_WF"]).is_live
    assert Execution.objects.get(pk=values["UX_RUN"]).status == "SUCCESS"
    headers = {"Authorization": f"Bearer {values['API_TOKEN']}"}
    assert client.get("/api/v1/workflows/", headers=headers).status_code == 200


def test_a_second_run_prints_the_same_and_changes_no_counts(state_dir):
    first = seed_by_command()
    before = counts()

    assert seed_by_command() == first
    assert counts() == before
    assert (state_dir / "demo.json").stat().st_mode & 0o077 == 0


def test_one_run_is_finished_one_failed_one_waits_and_a_task_is_open():
    demo.seed()

    states = sorted(Execution.objects.values_list("status", flat=True))
    assert states == ["FAILED", "SUCCESS", "WAITING"]
    task = Task.objects.get()
    assert task.team is not None
    assert (task.status, task.team.key, task.title) == ("PENDING", "sales_team", "Call Ada Byron")
    assert OutboxMail.objects.get().to == "ada@example.com"
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM lead_sources")
        assert cursor.fetchone()[0] == len(demo.LEADS)


def test_it_joins_an_organisation_that_was_set_up_before(client):
    made = people.set_up_organisation(
        organisation="Acme", name="Ada", email="ada@acme.example", password="a-good-long-one"
    )

    values = demo.seed()

    assert Project.objects.get() == made.project
    owner = User.objects.get(email=values["UX_USER"])
    assert Membership.objects.get(user=owner).role == Role.ADMIN
    assert client.login(username=values["UX_USER"], password=values["UX_PASSWORD"])
    made.owner.refresh_from_db()
    assert made.owner.check_password("a-good-long-one")


def test_a_lost_keepsake_gives_new_values_that_work(client, state_dir):
    first = demo.seed()
    (state_dir / "demo.json").write_text(json.dumps({}))

    second = demo.seed()

    assert second["UX_PASSWORD"] != first["UX_PASSWORD"]
    assert client.login(username=second["UX_USER"], password=second["UX_PASSWORD"])
    headers = {"Authorization": f"Bearer {second['API_TOKEN']}"}
    assert client.get("/api/v1/workflows/", headers=headers).status_code == 200
