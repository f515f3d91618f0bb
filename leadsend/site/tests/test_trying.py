"""The first workflow and its first run, by a click each."""

from __future__ import annotations

import pytest
from django.test import Client

from leadsend.access.models import Role
from leadsend.access.people import set_up_organisation
from leadsend.site.trying import sample_of
from leadsend.testing.factories import make_project, make_user, make_workflow
from triggers.models import TriggerEvent
from workflows.models import Workflow


def _as(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def owner(db):
    made = set_up_organisation(
        organisation="Acme", name="Ana", email="ana@example.com", password="correct-horse-battery"
    )
    return _as(made.owner)


def test_one_click_makes_the_welcome_workflow_live(owner):
    page = owner.post("/begin/")

    assert Workflow.objects.get().is_live
    assert page.context["state"] == "live"
    assert "the secret is shown only once" in page.text


def test_a_second_click_leads_to_the_same_workflow(owner):
    owner.post("/begin/")
    again = owner.post("/begin/")

    assert again["Location"] == f"/workflows/{Workflow.objects.get().pk}/"


def test_a_sample_of_its_trigger_starts_it(owner):
    owner.post("/begin/")
    workflow = Workflow.objects.get()
    page = owner.post(f"/workflows/{workflow.pk}/sample/", follow=True)

    event = TriggerEvent.objects.get()
    assert event.data == sample_of(workflow)
    assert event.source == f"manual:{workflow.pk}"
    assert "Its run appears here in a moment." in page.text


def test_a_draft_cannot_be_run(owner):
    workflow = make_workflow()
    page = owner.post(f"/workflows/{workflow.pk}/sample/", follow=True)

    assert "not live" in page.text
    assert not TriggerEvent.objects.exists()


def test_who_may_not_is_refused_and_strangers_find_nothing(owner):
    owner.post("/begin/")
    workflow = Workflow.objects.get()
    viewer = _as(make_user(project=workflow.project, role=Role.VIEWER))
    stranger = _as(make_user(project=make_project(), role=Role.ADMIN))

    assert viewer.post("/begin/").status_code == 403
    assert viewer.post(f"/workflows/{workflow.pk}/sample/").status_code == 403
    assert stranger.post(f"/workflows/{workflow.pk}/sample/").status_code == 404
    assert not TriggerEvent.objects.exists()
