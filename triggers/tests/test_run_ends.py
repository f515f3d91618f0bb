"""Workflows that start when another one ends: once for each end, with it or not at all."""

from __future__ import annotations

import pytest
from django.db import transaction

from leadsend.lib.errors import InvalidInput
from leadsend.testing.dispatching import dispatch_all
from leadsend.testing.engine import drain
from runtime import executions
from runtime.models import Execution
from triggers.models import InboxEntry, TriggerEvent
from triggers.tests.test_dispatch import arrive
from workflows.models import Workflow

pytestmark = pytest.mark.django_db


def ends_of(workflow, **cfg):
    return {"trigger_key": "workflow_ended", "cfg": {"workflow": workflow.slug, **cfg}}


@pytest.fixture
def first(make_workflow):
    return make_workflow("manual", name="First", settings={"business_key": "{{ event.email }}"})


@pytest.fixture
def failing(make_workflow):
    stop = {"kind": "end", "cfg": {"status": "failed", "message": "Not today."}}
    return make_workflow("manual", name="Failing", steps=[stop])


def all_through():
    """Dispatch and run until nothing is left to do."""
    for _ in range(12):
        moved = dispatch_all()
        drain()
        if not moved:
            return


def runs_of(workflow):
    return list(Execution.objects.filter(workflow_id=workflow.pk).order_by("id"))


def test_an_end_starts_who_listens_with_what_the_run_came_to(first, make_workflow):
    second = make_workflow(ends_of(first), name="Second")
    arrive(first, {"email": "ada@example.com"})
    all_through()

    [run] = runs_of(first)
    [told] = runs_of(second)
    data = told.context_data
    assert (told.trigger_type, told.trigger_key) == ("workflow", "workflow_ended")
    assert data["execution"]["id"] == str(run.pk)
    assert data["execution"]["status"] == "SUCCESS"
    assert data["execution"]["business_key"] == "ada@example.com"
    assert data["execution"]["workflow"]["slug"] == first.slug
    assert data["event"] == {"email": "ada@example.com"}
    assert (data["output"], data["error"]) == (run.output, None)
    assert told.status == "SUCCESS"


def test_only_the_ends_that_are_asked_for_start_something(first, failing, make_workflow):
    on_success = make_workflow(ends_of(failing), name="On success")
    on_failure = make_workflow(ends_of(failing, outcomes=["FAILED"]), name="On failure")
    arrive(failing, {"n": 1})
    all_through()

    assert runs_of(on_success) == []
    [told] = runs_of(on_failure)
    assert told.context_data["error"]["message"] == "Not today."


def test_what_is_cancelled_by_a_person_is_told(first, make_workflow):
    second = make_workflow(ends_of(first, outcomes=["CANCELLED"]), name="Second")
    arrive(first, {})
    dispatch_all()
    executions.cancel(runs_of(first)[0], user=None)
    all_through()

    assert [run.context_data["execution"]["status"] for run in runs_of(second)] == ["CANCELLED"]


def test_without_a_listener_nothing_is_written(first):
    arrive(first, {})
    all_through()

    assert TriggerEvent.objects.count() == 1


def test_an_end_that_is_rolled_back_is_not_told(first, make_workflow):
    make_workflow(ends_of(first, outcomes=["CANCELLED"]), name="Second")
    arrive(first, {})
    dispatch_all()

    with transaction.atomic():
        executions.cancel(runs_of(first)[0], user=None)
        told = TriggerEvent.objects.filter(trigger_key="workflow_ended").count()
        transaction.set_rollback(True)

    assert told == 1
    assert not TriggerEvent.objects.filter(trigger_key="workflow_ended").exists()


def test_workflows_that_start_each_other_are_stopped(make_workflow, first):
    second = make_workflow(ends_of(first), name="Second")
    draft = Workflow.objects.get(pk=first.pk)
    third = make_workflow(ends_of(second), name="Third")
    # The circle is closed behind the back of the check: second also hears of third.
    subscription = second.subscriptions.get()
    subscription.pk, subscription.trigger_id = None, "again"
    subscription.source = f"ended:{third.pk}"
    subscription.save(force_insert=True)
    arrive(draft, {})
    all_through()

    looped = TriggerEvent.objects.filter(fate__code="loop")
    assert looped.count() == 1
    assert len(runs_of(second)) + len(runs_of(third)) == 5
    assert not InboxEntry.objects.exists()


@pytest.mark.parametrize(("named", "said"), [("nobody", "no workflow"), ("itself", "own end")])
def test_a_workflow_that_cannot_be_watched_is_refused(make_workflow, named, said):
    with pytest.raises(InvalidInput, match=said) as refused:
        make_workflow({"trigger_key": "workflow_ended", "cfg": {"workflow": named}}, name="Itself")

    assert refused.value.problems[0].path.endswith("/cfg/workflow")


def test_large_values_are_left_to_the_run_itself(first, make_workflow):
    second = make_workflow(ends_of(first), name="Second")
    arrive(first, {"text": "x" * 400_000})
    all_through()

    [told] = runs_of(second)
    assert told.context_data["event"] is None
    assert told.context_data["execution"]["status"] == "SUCCESS"
