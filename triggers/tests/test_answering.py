from __future__ import annotations

import pytest

from leadsend.lib import ids
from leadsend.testing.dispatching import dispatch_all
from runtime.models import Execution, ExecutionTimer, ExecutionWait
from triggers import inbox, replaying
from triggers.events import NewEvent
from triggers.models import TriggerEvent

MATCH = "{{ event.email }}"


def arrive(project, data=None, *, source="manual:x", trigger_key="manual"):
    event = NewEvent(
        project_id=project.pk,
        trigger_key=trigger_key,
        trigger_type="manual",
        source=source,
        data=data or {"email": "ada@example.com", "total": 7},
    )
    return inbox.accept([event])[0].event_id


def waiting(project, **fields):
    given = {
        "id": ids.uuid7(),
        "project_id": project.pk,
        "execution_id": ids.uuid7(),
        "step_id": "wait",
        "kind": "event",
        "topic": "manual",
        "match": MATCH,
        "key": "ada@example.com",
    }
    return ExecutionWait.objects.create(**given | fields)


def code_of(event_id):
    fate = TriggerEvent.objects.get(pk=event_id).fate
    return fate and fate["code"]


def test_an_event_answers_all_steps_that_wait_for_its_key(project):
    rows = [waiting(project), waiting(project), waiting(project, topic="manual:x")]
    others = [
        waiting(project, key="bob@example.com"),
        waiting(project, topic="webhook"),
        waiting(project, project_id=ids.uuid7()),
        waiting(project, match="{{ event.nothing }}"),
    ]

    event_id = arrive(project)
    dispatch_all()

    for row in rows:
        row.refresh_from_db()
        assert row.answer["event"] == {"email": "ada@example.com", "total": 7}
        assert row.answer["event_id"] == str(event_id)
        assert ExecutionTimer.objects.filter(pk=row.execution_id).exists()
    assert ExecutionWait.objects.filter(answered_at=None).count() == len(others)
    fate = TriggerEvent.objects.get(pk=event_id).fate
    assert fate == {"code": "answered_waits", "reason": "It answered 3 waiting runs."}


def test_of_two_events_only_one_answers(project):
    row = waiting(project)

    both = {arrive(project), arrive(project)}
    dispatch_all()

    row.refresh_from_db()
    [other] = {event_id for event_id in both if str(event_id) != row.answer["event_id"]}
    assert code_of(other) == "no_subscription"


def test_an_event_may_start_a_workflow_and_answer_a_wait(make_workflow, project):
    workflow = make_workflow("manual")
    waiting(project)

    event_id = arrive(project, source=f"manual:{workflow.pk}")
    dispatch_all()

    assert Execution.objects.count() == 1
    fate = TriggerEvent.objects.get(pk=event_id).fate
    assert fate is not None
    assert fate["reason"] == "It started one run and answered a waiting run."


def test_a_wait_without_a_key_takes_any_event_of_its_trigger(project):
    row = waiting(project, match="", key="")

    arrive(project)
    dispatch_all()

    row.refresh_from_db()
    assert row.answered_at is not None


@pytest.mark.parametrize("data", [{"total": 7}, {"email": None}, {"email": ""}])
def test_an_event_without_the_field_answers_nothing(project, data):
    row = waiting(project, key="")

    arrive(project, data)
    dispatch_all()

    row.refresh_from_db()
    assert row.answered_at is None


def test_an_event_that_is_played_again_answers_nothing(make_workflow, project, dev):
    workflow = make_workflow("manual")
    event_id = arrive(project, source=f"manual:{workflow.pk}")
    dispatch_all()
    row = waiting(project)

    replaying.replay_event(TriggerEvent.objects.get(pk=event_id), user=dev)
    dispatch_all()

    row.refresh_from_db()
    assert row.answered_at is None


def test_nothing_more_is_asked_while_nobody_waits(project):
    arrive(project)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runtime.waits.matches_for", None)  # would raise when it is called

        dispatch_all()

    fate = TriggerEvent.objects.get().fate
    assert fate is not None
    assert fate["code"] == "no_subscription"
