from __future__ import annotations

import psycopg
import pytest

from leadsend.access.models import Project
from leadsend.testing.dispatching import dispatch_all
from runtime.models import Execution
from triggers import dispatch, inbox, replaying, schedules, scheduling
from triggers.events import NewEvent
from triggers.models import TriggerEvent
from triggers.tests.making import on_connections
from workflows.models import Workflow

pytestmark = pytest.mark.django_db

BROKEN = {"trigger_key": "manual", "filter_conditions": {"cel": "event.score > 1"}}


@pytest.fixture
def handler(make_workflow):
    workflow = make_workflow("failure", name="Handler")
    Project.objects.update(failure_workflow=workflow)
    return workflow


def arrive(workflow, data):
    event = NewEvent(
        project_id=workflow.project_id,
        trigger_key="manual",
        trigger_type="manual",
        source=f"manual:{workflow.pk}",
        data=data,
    )
    return inbox.accept([event])[0].event_id


def runs_of(workflow):
    return list(Execution.objects.filter(workflow=workflow).order_by("created_at"))


def test_an_event_that_cannot_be_dispatched_is_told_to_the_handler(
    make_workflow, handler, monkeypatch
):
    event_id = arrive(make_workflow("manual"), {"email": "ada@example.org"})

    def fail(arrivals, targets):
        raise psycopg.DataError("out of range")

    monkeypatch.setattr(dispatch, "decide", fail)
    dispatch_all()

    [run] = runs_of(handler)
    assert run.status == "PENDING"
    assert run.context_data["error"]["code"] == "dispatch_failed"
    assert run.context_data["event"] == {"email": "ada@example.org"}
    assert run.context_data["execution"] is None
    assert run.context_data["trigger"]["event_id"] == str(event_id)


def test_a_filter_that_fails_is_told_to_the_handler_of_its_workflow(make_workflow, handler):
    own = make_workflow("failure", name="Own")
    workflow = make_workflow(BROKEN, settings={"on_failure": own.slug})
    arrive(workflow, {"score": "many"})
    dispatch_all()

    [run] = runs_of(own)
    assert run.context_data["error"]["code"] == "filter_failed"
    assert run.context_data["trigger"]["workflow_id"] == str(workflow.pk)
    assert runs_of(handler) == []


def test_an_event_that_is_played_again_may_fail_again(make_workflow, handler, dev):
    arrive(make_workflow(BROKEN), {"score": "many"})
    dispatch_all()
    replaying.replay_event(TriggerEvent.objects.get(), user=dev)
    dispatch_all()

    assert len(runs_of(handler)) == 2


def test_an_event_that_nobody_wanted_is_no_failure(make_workflow, handler):
    never = {"trigger_key": "manual", "filter_conditions": {"cel": "false"}}
    arrive(make_workflow(never), {})
    dispatch_all()

    assert runs_of(handler) == []


@pytest.mark.django_db(transaction=True)
def test_a_schedule_that_has_to_stop_is_told_to_the_handler(make_workflow, handler):
    workflow = Workflow.objects.get(pk=make_workflow(publish=False, name="Nightly").pk)
    schedule = scheduling.keep(workflow, "nightly", {"cron": "0 9 * * *"})
    schedule.cron, schedule.next_due_at = "not a rule", scheduling.database_now()
    schedule.save()

    on_connections(schedules.pump)
    on_connections(schedules.pump)

    [run] = runs_of(handler)
    assert run.context_data["error"]["code"] == "schedule_stopped"
    assert run.context_data["trigger"]["workflow_id"] == str(workflow.pk)
