"""From an empty installation to a finished run: four answers and two clicks."""

from __future__ import annotations

import pytest
from django.test import Client

from leadsend.site.engine_pass import play_to_the_end
from runtime.models import Execution


@pytest.mark.django_db(transaction=True)
def test_a_newcomer_sees_a_finished_run_after_two_clicks():
    client = Client()
    answers = {"organisation": "Acme", "name": "Ana", "email": "ana@example.com"}
    client.post("/setup/", {**answers, "password": "correct-horse-battery"})
    workflow = client.post("/begin/").context["workflow"]
    client.post(f"/workflows/{workflow.pk}/sample/")
    play_to_the_end()

    run = Execution.objects.get()
    page = client.get(f"/runs/{run.pk}/")
    assert (run.status, run.business_key) == ("SUCCESS", "ada@example.com")
    assert [step.words.id for step in page.context["steps"]][:3] == ["hot", "welcome", "call"]
    assert "Call Ada Byron" in client.get("/tasks/").text + client.get("/tasks/?tab=team").text
    assert "ada@example.com" in client.get("/outbox/").text
    assert "Done" in client.get("/").text
