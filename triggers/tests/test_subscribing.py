from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from credentials import vault
from leadsend.access.models import AuditEntry
from leadsend.lib import clock
from triggers import endpoints, subscribing
from triggers.models import ScheduleTrigger, Subscription, WatchedTable, WebhookEndpoint
from workflows import drafts, publishing
from workflows.models import WorkflowVersion


def told(workflow):
    return workflow.version.answers["webhook_endpoints"]


def test_publishing_a_webhook_gives_its_address_and_the_secret_once(make_workflow, dev, settings):
    workflow = make_workflow("webhook")

    endpoint = WebhookEndpoint.objects.get()
    [shown] = told(workflow)
    assert shown["id"] == str(endpoint.pk)
    assert shown["trigger_id"] == "webhook"
    assert shown["url"] == f"{settings.PUBLIC_URL}/hooks/{endpoint.token}"
    assert shown["auth"]["mode"] == "standard_webhooks"
    assert shown["auth"]["secret"].startswith("whsec_")
    assert Subscription.objects.get().source == f"webhook:{endpoint.pk}"

    drafts.apply(workflow, [{"op": "set_meta", "path": "/description", "value": "x"}], user=dev)
    again = publishing.publish(workflow, user=dev)
    assert "secret" not in again.answers["webhook_endpoints"][0]["auth"]
    assert WebhookEndpoint.objects.get().token == endpoint.token


def test_the_secret_is_stored_sealed(make_workflow):
    secret = told(make_workflow("webhook"))[0]["auth"]["secret"]

    endpoint = WebhookEndpoint.objects.get()
    assert secret not in endpoint.sealed_secret
    opened = vault.unseal(endpoint.sealed_secret, owner_id=endpoint.pk, field="sealed_secret")
    assert opened == secret


def test_the_settings_of_the_trigger_reach_the_endpoint(make_workflow):
    cfg = {
        "name": "Website form",
        "methods": ["POST", "PUT"],
        "event_key": "body:id",
        "auth": {"mode": "hmac", "header": "X-Hub-Signature-256", "prefix": "sha256="},
    }
    make_workflow({"trigger_key": "webhook", "cfg": cfg})

    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.name, endpoint.methods) == ("Website form", ["POST", "PUT"])
    assert endpoint.event_key_template == "body:id"
    assert endpoint.auth_mode == "hmac"
    assert endpoint.auth_cfg == {"header": "X-Hub-Signature-256", "prefix": "sha256="}


def test_a_trigger_that_is_taken_out_no_longer_starts_the_workflow(make_workflow, dev):
    workflow = make_workflow("webhook", "manual")
    drafts.apply(workflow, [{"op": "remove_trigger", "id": "webhook"}], user=dev)
    publishing.publish(workflow, user=dev)

    assert not WebhookEndpoint.objects.get().is_active
    states = dict(Subscription.objects.values_list("trigger_id", "is_active"))
    assert states == {"webhook": False, "manual": True}


def test_a_schedule_gets_its_next_tick(make_workflow):
    make_workflow({"trigger_key": "schedule", "cfg": {"cron": "0 9 * * mon-fri"}})

    schedule = ScheduleTrigger.objects.get()
    assert schedule.next_due_at is not None
    assert schedule.next_due_at > clock.now()
    assert Subscription.objects.get().source == f"schedule:{schedule.pk}"


def test_a_table_is_watched_while_a_workflow_listens(make_workflow):
    workflow = make_workflow("lead_sources_db_change")
    assert WatchedTable.objects.get().table_name == "lead_sources"
    assert Subscription.objects.get().source.startswith("table:")
    publishing.retire(workflow)

    assert not WatchedTable.objects.exists()


def test_retiring_switches_everything_off_and_reviving_on_again(make_workflow):
    workflow = make_workflow("webhook", {"trigger_key": "schedule", "cfg": {"cron": "0 9 * * *"}})
    secret = told(workflow)[0]["auth"]["secret"]
    publishing.retire(workflow)

    assert not Subscription.objects.filter(is_active=True).exists()
    assert not WebhookEndpoint.objects.filter(is_active=True).exists()
    assert not ScheduleTrigger.objects.filter(is_active=True).exists()

    publishing.revive(workflow)
    assert Subscription.objects.filter(is_active=True).count() == 2
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.is_active
    known: Any = endpoints.load(endpoint.token)
    assert known.secret == secret


def test_a_failure_undoes_the_publishing(make_workflow, dev, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("no schedule today")

    monkeypatch.setattr("triggers.scheduling.keep", fail)
    workflow = make_workflow(
        {"trigger_key": "schedule", "cfg": {"cron": "0 9 * * *"}}, publish=False
    )
    with pytest.raises(RuntimeError):
        publishing.publish(workflow, user=dev)

    assert not WorkflowVersion.objects.exists()
    assert not Subscription.objects.exists()


def test_pausing_twice_is_one_audit_entry(make_workflow, dev):
    make_workflow("manual")
    subscription: Any = Subscription.objects.get()
    subscribing.pause(subscription, user=dev)
    subscribing.pause(subscription, user=dev)
    assert subscription.paused_at is not None
    subscribing.resume(subscription, user=dev)

    assert subscription.paused_at is None
    acts = AuditEntry.objects.filter(object_type="triggers.subscription")
    assert sorted(acts.values_list("act", flat=True)) == [
        "subscription.pause",
        "subscription.resume",
    ]


def test_after_a_rotation_both_secrets_are_good_for_a_day(make_workflow, dev):
    old = told(make_workflow("webhook"))[0]["auth"]["secret"]
    endpoint = WebhookEndpoint.objects.get()
    new = subscribing.rotate_secret(endpoint, user=dev)

    known: Any = endpoints.load(endpoint.token)
    assert list(known.secrets_at(clock.now())) == [new, old]
    assert list(known.secrets_at(clock.now() + timedelta(hours=25))) == [new]
    assert AuditEntry.objects.filter(act="webhook_endpoint.rotate").count() == 1


def test_another_way_of_proof_gets_another_secret(make_workflow, dev):
    workflow = make_workflow("webhook")
    change = {"op": "set_trigger", "trigger": "webhook", "path": "/cfg/auth"}
    drafts.apply(workflow, [{**change, "value": {"mode": "header"}}], user=dev)
    version = publishing.publish(workflow, user=dev)

    assert "secret" in version.answers["webhook_endpoints"][0]["auth"]
