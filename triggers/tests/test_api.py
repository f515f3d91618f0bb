from __future__ import annotations

from typing import Any

import pytest

from leadsend.access.models import AuditEntry
from leadsend.lib import clock, ids
from leadsend.testing.dispatching import dispatch_all
from runtime.models import Execution
from triggers.api import waiting
from triggers.models import (
    InboxEntry,
    Subscription,
    TriggerEvent,
    WebhookEndpoint,
)
from workflows import drafts
from workflows.models import Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db


def test_a_subscription_publishes_an_active_workflow_with_the_trigger(api, make_workflow):
    workflow = make_workflow(publish=False)
    answer = api.post(
        "/api/v1/subscriptions/",
        {"workflow_id": workflow.pk, "trigger_key": "manual", "filter_conditions": {}},
    )

    assert answer.status_code == 201, answer.data
    assert answer.data["trigger_key"] == "manual"
    assert answer.data["is_active"]
    workflow.refresh_from_db()
    assert workflow.live_version is not None
    assert drafts.document_of(workflow)["triggers"][0]["trigger_key"] == "manual"


def test_the_same_subscription_again_is_the_same_one(api, make_workflow):
    workflow = make_workflow(publish=False)
    body = {"workflow_id": workflow.pk, "trigger_key": "manual"}
    first = api.post("/api/v1/subscriptions/", body)
    second = api.post("/api/v1/subscriptions/", body)

    assert first.data["id"] == second.data["id"]
    assert WorkflowVersion.objects.count() == 1


def test_a_webhook_subscription_tells_its_address(api, make_workflow):
    workflow = make_workflow(publish=False)
    answer = api.post(
        "/api/v1/subscriptions/", {"workflow_id": workflow.pk, "trigger_key": "webhook"}
    )

    [endpoint] = answer.data["webhook_endpoints"]
    assert endpoint["auth"]["secret"].startswith("whsec_")


def test_an_inactive_workflow_is_subscribed_but_not_published(api, make_workflow):
    workflow = make_workflow(publish=False)
    Workflow.objects.update(is_active=False)
    answer = api.post(
        "/api/v1/subscriptions/", {"workflow_id": workflow.pk, "trigger_key": "manual"}
    )

    assert answer.status_code == 201
    assert not answer.data["is_active"]
    assert not WorkflowVersion.objects.exists()


def test_a_trigger_that_does_not_exist_changes_nothing(api, make_workflow):
    workflow = make_workflow(publish=False)
    answer = api.post(
        "/api/v1/subscriptions/", {"workflow_id": workflow.pk, "trigger_key": "telepathy"}
    )

    assert answer.status_code == 400
    assert answer.json()["problems"]
    workflow.refresh_from_db()
    assert drafts.document_of(workflow)["triggers"] == []
    assert not Subscription.objects.exists()


def test_a_new_filter_is_a_change_of_the_draft_until_it_is_published(api, make_workflow):
    make_workflow("manual")
    row = Subscription.objects.get()
    condition = {"all": [{"left": "{{ event.score }}", "op": "gt", "right": 5}]}
    path = f"/api/v1/subscriptions/{row.pk}/"
    answer = api.patch(path, {"filter_conditions": condition})
    assert answer.status_code == 200
    assert answer.data["filter_conditions"] == {}

    answer = api.patch(path, {"publish": True})
    assert answer.data["filter_conditions"]["all"][0]["op"] == "gt"


def test_a_subscription_is_paused_and_resumed(api, make_workflow):
    make_workflow("manual")
    path = f"/api/v1/subscriptions/{Subscription.objects.get().pk}/"
    assert api.post(f"{path}pause/").data["paused_at"] is not None
    assert api.get("/api/v1/subscriptions/?is_paused=true").data["results"]
    assert api.post(f"{path}resume/").data["paused_at"] is None


def test_an_endpoint_shows_no_secret_but_when_it_is_rotated(api, make_workflow):
    make_workflow("webhook")
    endpoint = WebhookEndpoint.objects.get()
    [listed] = api.get("/api/v1/webhook-endpoints/").data["results"]
    detail = api.get(f"/api/v1/webhook-endpoints/{endpoint.pk}/").data
    assert "secret" not in listed["auth"]
    assert "secret" not in detail["auth"]

    rotated = api.post(f"/api/v1/webhook-endpoints/{endpoint.pk}/rotate/").data
    assert rotated["auth"]["secret"].startswith("whsec_")
    assert rotated["previous_valid_until"] > clock.now()


def run(api, workflow, body=None, **headers):
    path = f"/api/v1/workflows/{workflow.pk}/run/"
    return api.post(path, body or {"event": {"email": "ada@example.com"}}, headers=headers)


def test_a_run_is_accepted_with_the_id_that_it_will_have(api, make_workflow):
    workflow = make_workflow()
    answer = run(api, workflow)
    assert answer.status_code == 202
    dispatch_all()

    execution = Execution.objects.get()
    assert answer.data["execution_ids"] == [execution.pk]
    assert execution.context_data == {"email": "ada@example.com"}
    assert AuditEntry.objects.filter(act="workflow.run").count() == 1


def test_a_key_starts_a_run_once(api, make_workflow):
    workflow = make_workflow()
    first = run(api, workflow, **{"Idempotency-Key": "k"})
    second = run(api, workflow, **{"Idempotency-Key": "k"})

    assert (first.status_code, second.status_code) == (202, 200)
    assert first.data == second.data
    assert TriggerEvent.objects.count() == 1


def test_a_run_of_an_unpublished_workflow_is_refused(api, make_workflow):
    answer = run(api, make_workflow(publish=False))

    assert answer.status_code == 409
    assert answer.json()["code"] == "not_live"


@pytest.mark.parametrize("body", [{"event": []}, {"event": {}, "other": 1}, {"event": None}, []])
def test_a_run_with_something_else_is_refused(api, make_workflow, body):
    path = f"/api/v1/workflows/{make_workflow().pk}/run/"
    assert api.post(path, body).status_code == 400


def test_waiting_answers_with_the_run_once_it_has_ended(api, make_workflow, monkeypatch):
    def work(pause):
        dispatch_all()
        Execution.objects.update(status="SUCCESS", ended_at=clock.now())

    wait_for = waiting.wait_for
    monkeypatch.setattr("triggers.api.runs.wait_for", lambda key: wait_for(key, sleep=work))
    answer = run(api, make_workflow(), {"event": {}, "wait": True})

    assert answer.status_code == 200
    assert answer.data["status"] == "SUCCESS"


def test_waiting_gives_up_in_time(make_workflow):
    assert waiting.wait_for(ids.uuid7(), longest_s=0) is None


def test_an_event_is_shown_with_what_it_started_and_can_be_replayed(api, make_workflow):
    workflow = make_workflow("manual")
    event_id = run(api, workflow).data["event_id"]
    dispatch_all()
    path = f"/api/v1/events/{event_id}/"
    [row] = api.get("/api/v1/events/?trigger_key=manual").data["results"]
    assert "data" not in row
    assert len(api.get(path).data["execution_ids"]) == 1

    answer = api.post(f"{path}replay/")
    assert (answer.status_code, answer.data["replay"]) == (202, 1)
    assert dispatch_all() == 1
    assert Execution.objects.count() == 2
    assert AuditEntry.objects.filter(act="event.replay").count() == 1


def test_an_event_that_still_waits_cannot_be_replayed(api, make_workflow):
    event_id = run(api, make_workflow()).data["event_id"]

    assert api.post(f"/api/v1/events/{event_id}/replay/").status_code == 409
    assert InboxEntry.objects.count() == 1


def test_a_replay_of_a_run_says_which_run_it_will_be(api, make_workflow):
    run(api, make_workflow())
    dispatch_all()
    first: Any = Execution.objects.get()
    answer = api.post(f"/api/v1/executions/{first.pk}/replay/")
    assert answer.status_code in {200, 201, 202}, answer.data
    dispatch_all()

    again = Execution.objects.exclude(pk=first.pk).get()
    assert again.pk == ids.execution_id(first.trigger_event_id, first.workflow_id, 1)
    assert answer.data["replay"] == again.replay == 1


def test_an_event_that_started_nothing_tells_why(api, make_workflow):
    never = {"all": [{"left": "{{ event.score }}", "op": "gt", "right": 5}]}
    workflow = make_workflow({"trigger_key": "manual", "filter_conditions": never})
    row = Subscription.objects.get()
    run(api, workflow)
    TriggerEvent.objects.update(source=row.source)
    InboxEntry.objects.update(workflow_id=None)
    dispatch_all()

    [shown] = api.get("/api/v1/events/?fate=filtered_out").data["results"]
    assert shown["fate"]["code"] == "filtered_out"


def test_a_viewer_reads_and_changes_nothing(viewer, make_workflow):
    workflow = make_workflow("manual", "webhook")
    row: Any = Subscription.objects.first()
    assert len(viewer.get("/api/v1/subscriptions/").data["results"]) == 2
    assert viewer.post(f"/api/v1/subscriptions/{row.pk}/pause/").status_code == 403
    endpoint = WebhookEndpoint.objects.get()
    assert viewer.post(f"/api/v1/webhook-endpoints/{endpoint.pk}/rotate/").status_code == 403
    body = {"workflow_id": workflow.pk, "trigger_key": "manual"}
    assert viewer.post("/api/v1/subscriptions/", body).status_code == 403
    assert run(viewer, workflow).status_code == 403


def test_a_stranger_sees_nothing_at_all(stranger, make_workflow):
    workflow = make_workflow("manual", "webhook")
    row: Any = Subscription.objects.first()
    endpoint = WebhookEndpoint.objects.get()
    assert stranger.get("/api/v1/subscriptions/").status_code == 403
    assert stranger.get(f"/api/v1/subscriptions/{row.pk}/").status_code == 404
    assert stranger.post(f"/api/v1/subscriptions/{row.pk}/pause/").status_code == 404
    assert stranger.get(f"/api/v1/webhook-endpoints/{endpoint.pk}/").status_code == 404
    assert run(stranger, workflow).status_code in {403, 404}
    body = {"workflow_id": workflow.pk, "trigger_key": "manual"}
    assert stranger.post("/api/v1/subscriptions/", body).status_code in {403, 404}


def test_the_five_calls_of_the_overview_document_end_with_a_subscription_that_listens(api):
    def post(path, **fields):
        answer = api.post(f"/api/v1/{path}/", fields)
        assert answer.status_code == 201, answer.data
        return answer.json()

    workflow = post("workflows", name="Lead Processing", category="automation", is_active=True)
    s3_key = f"s3://workflows/{workflow['id']}/v1.json"
    version = post("versions", workflow_id=workflow["id"], version_num=1, s3_key=s3_key)
    cfg = {"operation": "create", "title": "Follow up lead"}
    action = {"version_id": version["id"], "kind": "action", "action_key": "task_management"}
    first, second = post("steps", **action, cfg=cfg), post("steps", **action, cfg=cfg)
    post("edges", from_step_id=first["id"], to_step_id=second["id"], branch_key="default")
    subscription = post(
        "subscriptions",
        workflow_id=workflow["id"],
        trigger_key="lead_sources_db_change",
        filter_conditions={},
    )

    assert subscription["is_active"]
    assert subscription["source"].endswith("lead_sources")
    live = Workflow.objects.get()
    assert str(live.live_version_id) == version["id"]


def test_creating_and_publishing_in_one_call_tells_address_and_secret_once(api):
    step = {"kind": "action", "action_key": "task_create", "cfg": {"title": "Call"}}
    body = {"name": "Leads", "steps": [step], "triggers": ["webhook"], "publish": True}
    made = api.post("/api/v1/workflows/", body).json()

    [told] = made["webhook_endpoints"]
    assert told["auth"]["secret"].startswith("whsec_")
    shown = api.get(f"/api/v1/webhook-endpoints/{told['id']}/").json()
    assert shown["url"] == told["url"]
    assert "secret" not in shown["auth"]


def test_an_unsigned_webhook_must_be_confirmed(api):
    step = {"kind": "action", "action_key": "task_create", "cfg": {"title": "Call"}}
    auth: dict[str, Any] = {"mode": "none"}
    trigger = {"trigger_key": "webhook", "cfg": {"auth": auth}}
    body = {"name": "Leads", "steps": [step], "triggers": [trigger], "publish": True}
    assert api.post("/api/v1/workflows/", body).status_code == 400

    auth["confirm_unauthenticated"] = True
    made = api.post("/api/v1/workflows/", body)
    assert made.status_code == 201
    assert made.json()["webhook_endpoints"][0]["auth"]["mode"] == "none"
