from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connection

from leadsend.access.models import Project
from leadsend.lib import ids, postgres
from leadsend.testing.dispatching import dispatch_all
from runtime.models import Execution
from triggers import dispatch, inbox, matching, replaying, subscribing
from triggers.dispatch import dispatch_batch
from triggers.dispatch_statements import CANDIDATES
from triggers.events import NewEvent
from triggers.models import InboxEntry, Subscription, TriggerEvent
from workflows import publishing


def arrive(workflow, data=None, *, source=None, **fields):
    """Accept an event for a workflow's manual trigger; return its id."""
    event = NewEvent(
        project_id=fields.pop("project_id", workflow.project_id),
        trigger_key="manual",
        trigger_type="manual",
        source=source or f"manual:{workflow.pk}",
        data=data or {"score": 60, "email": "ada@example.com"},
        **fields,
    )
    return inbox.accept([event])[0].event_id


def fate_of(event_id):
    return TriggerEvent.objects.get(pk=event_id).fate


HOT = {"all": [{"left": "{{ event.score }}", "op": "gt", "right": 50}]}


@pytest.fixture
def filtered(make_workflow):
    return make_workflow({"trigger_key": "manual", "filter_conditions": HOT})


def test_an_event_starts_the_live_version_with_its_data(make_workflow):
    workflow = make_workflow(
        "manual", settings={"timeout_s": 60, "business_key": "{{ event.email }}"}
    )
    event_id = arrive(workflow, request={"method": "POST"})

    assert dispatch_all() == 1
    execution = Execution.objects.get()
    subscription = Subscription.objects.get()
    event = TriggerEvent.objects.get()
    assert execution.pk == ids.execution_id(event_id, subscription.pk, 0)
    assert execution.status == "PENDING"
    assert execution.version_id == workflow.live_version_id
    assert execution.context_data == event.data
    assert execution.request_data == {"method": "POST"}
    assert execution.timeout_s == 60
    assert execution.business_key == "ada@example.com"
    assert execution.created_at == event.received_at
    assert event.fate is None
    assert not InboxEntry.objects.exists()


def test_dispatching_the_same_event_twice_starts_it_once(make_workflow):
    workflow = make_workflow("manual")
    event_id = arrive(workflow)
    dispatch_all()
    InboxEntry.objects.create(id=ids.uuid7(), event_id=event_id)
    dispatch_all()

    assert Execution.objects.count() == 1


def test_an_event_that_passes_the_filter_starts_the_workflow(filtered):
    arrive(filtered, {"score": 51})
    dispatch_all()

    assert Execution.objects.count() == 1


def test_an_event_that_is_filtered_out_is_kept_with_the_reason_in_words(filtered):
    event_id = arrive(filtered, {"score": 7})
    dispatch_all()

    assert not Execution.objects.exists()
    fate = fate_of(event_id)
    assert fate["code"] == "filtered_out"
    assert "score" in fate["reason"].lower()
    assert "7" in fate["reason"]
    assert "50" in fate["reason"]


def test_a_missing_value_counts_as_empty_and_that_is_said(filtered):
    event_id = arrive(filtered, {"other": 1})
    dispatch_all()

    assert fate_of(event_id)["code"] == "filtered_out"
    assert "empty" in fate_of(event_id)["reason"]


def test_a_filter_that_fails_is_kept_with_its_error(make_workflow):
    failing = {"cel": "event.score > 1"}
    workflow = make_workflow({"trigger_key": "manual", "filter_conditions": failing})
    event_id = arrive(workflow, {"score": "many"})
    dispatch_all()

    assert fate_of(event_id)["code"] == "filter_failed"
    assert "event.score" in fate_of(event_id)["reason"]


def test_an_event_that_nobody_listens_to_is_kept_with_the_reason(make_workflow):
    event_id = arrive(make_workflow("manual"), source="manual:nobody")
    dispatch_all()

    assert fate_of(event_id)["code"] == "no_subscription"


def test_a_paused_subscription_keeps_events_and_starts_nothing(make_workflow, dev):
    workflow = make_workflow("manual")
    subscribing.pause(Subscription.objects.get(), user=dev)
    event_id = arrive(workflow)
    dispatch_all()

    assert fate_of(event_id)["code"] == "paused"
    assert not Execution.objects.exists()


def test_a_workflow_that_is_switched_off_keeps_events_and_starts_nothing(make_workflow):
    workflow = make_workflow("manual")
    publishing.retire(workflow)
    event_id = arrive(workflow)
    dispatch_all()

    assert fate_of(event_id)["code"] == "workflow_off"


def test_events_of_another_project_start_nothing(make_workflow):
    workflow = make_workflow("manual")
    other = Project.objects.create(name="Other", slug="other")
    event_id = arrive(workflow, project_id=other.pk)
    dispatch_all()

    assert fate_of(event_id)["code"] == "no_subscription"
    assert not Execution.objects.exists()


def test_an_event_may_name_the_workflow_that_it_starts(make_workflow):
    workflow = make_workflow()
    event_id = arrive(workflow, workflow_id=workflow.pk)
    dispatch_all()

    execution = Execution.objects.get()
    assert execution.pk == ids.execution_id(event_id, workflow.pk, 0)
    assert execution.subscription_id is None


def test_a_kind_of_change_that_the_trigger_does_not_ask_for_starts_nothing(make_workflow):
    workflow = make_workflow("lead_sources_db_change")
    source = Subscription.objects.get().source
    change = {"table": "lead_sources", "key": 1, "new": {}, "old": {}, "changed": []}
    arrive(workflow, {**change, "op": "insert"}, source=source)
    removed = arrive(workflow, {**change, "op": "delete"}, source=source)
    dispatch_all()

    assert Execution.objects.count() == 1
    assert fate_of(removed)["code"] == "filtered_out"


def test_one_event_starts_all_workflows_of_its_source(make_workflow):
    first = make_workflow("manual", name="First")
    make_workflow("manual", name="Second")
    Subscription.objects.update(source="shared")
    arrive(first, source="shared")
    dispatch_all()

    assert Execution.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_dispatchers_side_by_side_start_every_event_once(make_workflow):
    workflow = make_workflow("manual")
    new = [
        NewEvent(
            project_id=workflow.project_id,
            trigger_key="manual",
            trigger_type="manual",
            source=f"manual:{workflow.pk}",
            data={"n": number},
        )
        for number in range(300)
    ]
    inbox.accept(new)

    def work(_):
        taken = 0
        with postgres.connect("test") as raw:
            while count := dispatch_batch(raw, 20):
                taken += count
        return taken

    with ThreadPoolExecutor(4) as threads:
        taken = sum(threads.map(work, range(4)))

    assert taken == 300
    assert Execution.objects.count() == 300
    assert sorted(Execution.objects.values_list("context_data__n", flat=True)) == list(range(300))


def test_one_faulty_event_does_not_hold_up_the_others(make_workflow, monkeypatch):
    workflow = make_workflow("manual")
    numbers = [arrive(workflow, {"n": number}) for number in range(5)]
    decide = matching.decide

    def fail_on_the_third(arrivals, targets):
        if any(arrival.event_id == numbers[2] for arrival in arrivals):
            raise psycopg.DataError("out of range")
        return decide(arrivals, targets)

    monkeypatch.setattr(dispatch, "decide", fail_on_the_third)

    assert dispatch_all() == 5
    assert sorted(Execution.objects.values_list("context_data__n", flat=True)) == [0, 1, 3, 4]
    assert fate_of(numbers[2])["code"] == "dispatch_failed"
    assert not InboxEntry.objects.exists()


def test_a_replay_that_starts_nothing_takes_nothing_back(make_workflow, dev):
    event_id = arrive(make_workflow("manual"))
    dispatch_all()
    Subscription.objects.update(filter_conditions=HOT)
    TriggerEvent.objects.update(data={"score": 1})
    replaying.replay_event(TriggerEvent.objects.get(), user=dev)
    dispatch_all()

    assert Execution.objects.count() == 1
    assert fate_of(event_id) is None


def test_a_replay_that_starts_something_clears_the_reason(make_workflow, dev):
    event_id = arrive(make_workflow({"trigger_key": "manual", "filter_conditions": HOT}), {"a": 1})
    dispatch_all()
    assert fate_of(event_id)["code"] == "filtered_out"
    Subscription.objects.update(filter_conditions={})
    replaying.replay_event(TriggerEvent.objects.get(), user=dev)
    dispatch_all()

    assert Execution.objects.get().replay == 1
    assert fate_of(event_id) is None


def test_an_event_that_is_no_longer_kept_leaves_the_inbox(make_workflow):
    make_workflow("manual")
    InboxEntry.objects.create(id=ids.uuid7(), event_id=ids.uuid7())

    assert dispatch_all() == 1
    assert not InboxEntry.objects.exists()


def test_a_batch_that_fails_leaves_the_inbox_as_it_was(make_workflow, monkeypatch):
    workflow = make_workflow("manual")
    arrive(workflow)
    connection.ensure_connection()

    def fail(*args):
        raise RuntimeError("killed in between")

    monkeypatch.setattr("triggers.dispatch._start", fail)
    with pytest.raises(RuntimeError):
        dispatch_batch(connection.connection)
    assert InboxEntry.objects.count() == 1


def test_subscriptions_of_other_sources_are_not_looked_at(make_workflow):
    workflow = make_workflow("manual")
    Subscription.objects.bulk_create(
        Subscription(
            project_id=workflow.project_id,
            workflow=workflow,
            trigger_id=f"t{number}",
            trigger_key="webhook",
            source=f"webhook:{number}",
            is_active=number % 2 == 0,
        )
        for number in range(5_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE workflow_subscription")
        cursor.execute(f"EXPLAIN {CANDIDATES}", [["webhook:7", "webhook:8"]])
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "subscription_by_source" in plan
    assert "Seq Scan on workflow_subscription" not in plan
