"""Secret variables are used, and stand in no row."""

from __future__ import annotations

import pytest

from leadsend.lib.redaction import MASK
from leadsend.testing.engine import drain as drain_real
from runtime.engine.tests.making import act
from runtime.models import StepExecution, Task, WebhookAnswer
from runtime.tests.driving import World, drain, fresh, publish, start

pytestmark = pytest.mark.django_db


def test_secret_variables_reach_the_effect_but_no_row(monkeypatch):
    monkeypatch.setattr("runtime.beginning.secrets_of", lambda *_: {"key": "s3cr3t-value"})
    world = World()
    world.answers["send"] = lambda ctx, inputs: {"echo": f"Bearer {inputs['token']}"}
    variables = [{"key": "key", "type": "text", "secret": True}]
    execution = start(
        publish(act("s", "send", cfg={"token": "{{ vars.key }}"}), variables=variables)
    )

    drain(world)

    assert fresh(execution).status == "SUCCESS", fresh(execution).error
    assert world.calls[0][1] == {"token": "s3cr3t-value"}
    row = StepExecution.objects.of_execution(execution.pk).get()
    assert "s3cr3t" not in str([row.input_data, row.result_data, fresh(execution).output])


def test_secret_variables_reach_no_row_that_a_step_writes(monkeypatch):
    monkeypatch.setattr("runtime.beginning.secrets_of", lambda *_: {"key": "s3cr3t-value"})
    variables = [{"key": "key", "type": "text", "secret": True}]
    said = {"body": {"key": "{{ vars.key }}"}, "headers": {"X-Key": "{{ vars.key }}"}}
    steps = [
        act("t", "task_create", cfg={"title": "{{ vars.key }}"}),
        act("w", "webhook_respond", cfg=said),
    ]
    execution = start(publish(*steps, variables=variables))

    drain_real()

    assert fresh(execution).status == "SUCCESS", fresh(execution).error
    answer = WebhookAnswer.objects.get()
    written = [Task.objects.get().title, answer.body, answer.headers]
    assert "s3cr3t" not in str(written)
    assert str(written).count(MASK) == 3
