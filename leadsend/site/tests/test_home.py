"""Home: figures, failures, and the first steps of a newcomer."""

from __future__ import annotations

import json
import re

import pytest
from django.test import Client

from leadsend.access.models import Role
from leadsend.access.people import set_up_organisation
from leadsend.testing.factories import make_project, make_user
from leadsend.testing.page_story import tell_page_story
from registry.seeding import seed_registry
from workflows.models import Workflow


def _as(user):
    client = Client()
    client.force_login(user)
    return client


def _body_of(call):
    found = re.search(r"-d '(.*)'", call, re.DOTALL)
    assert found
    return json.loads(found.group(1))


@pytest.fixture
def owner(db):
    seed_registry()
    made = set_up_organisation(
        organisation="Acme", name="Ana", email="ana@example.com", password="correct-horse-battery"
    )
    return _as(made.owner)


def test_what_a_newcomer_is_told_to_type_works(owner):
    told = owner.get("/").context
    created = owner.post("/api/v1/workflows/", _body_of(told["create_call"]), "application/json")
    workflow = Workflow.objects.get()
    run = owner.post(
        f"/api/v1/workflows/{workflow.pk}/run/", _body_of(told["run_call"]), "application/json"
    )

    assert created.status_code == 201, created.text
    assert workflow.is_live
    assert run.status_code in {200, 201, 202}, run.text


def test_publishing_a_webhook_by_button_shows_its_secret_once(owner):
    body = _body_of(owner.get("/").context["create_call"])
    owner.post("/api/v1/workflows/", {**body, "publish": False}, "application/json")
    workflow = Workflow.objects.get()
    page = owner.post(f"/workflows/{workflow.pk}/publish/", follow=True)

    assert "the secret is shown only once" in page.text
    assert "whsec_" in page.text
    assert "whsec_" not in owner.get(f"/workflows/{workflow.pk}/").text


def test_who_may_not_build_is_told_whom_to_ask(db):
    viewer = _as(make_user(project=make_project(), role=Role.VIEWER))

    page = viewer.get("/").text
    assert "Ask somebody who builds them" in page
    assert "curl" not in page


def test_in_use_it_tells_what_runs_failed_and_waits(db):
    story = tell_page_story()
    told = _as(story.owner).get("/").context

    assert (told["runs_today"], told["failed_today"]) == (5, 1)
    assert (told["unfinished"], told["waiting"]) == (3, 2)
    assert [run.business_key for run in told["failed"]] == ["ada@"]
    assert "Call Ada Byron" in [task.title for task in told["tasks"]]
