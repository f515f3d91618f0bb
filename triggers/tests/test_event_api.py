"""The inbox of events by REST: searched, kept, replayed, and filters tried on it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.expressions import RawSQL

from leadsend.access.models import AuditEntry
from leadsend.lib import clock
from leadsend.testing.dispatching import dispatch_all
from triggers.models import (
    Subscription,
    TriggerEvent,
)
from triggers.tests.test_dispatch import arrive

pytestmark = pytest.mark.django_db


def test_a_filter_is_tried_before_it_goes_live(api, viewer, make_workflow):
    workflow = make_workflow("manual")
    for score in (10, 90):
        arrive(workflow, {"score": score})
    row = Subscription.objects.get()
    hot = {"all": [{"left": "{{ event.score }}", "op": "gt", "right": 50}]}
    url = f"/api/v1/subscriptions/{row.pk}/try-filter/"

    told = viewer.post(url, {"filter_conditions": hot}, format="json")

    assert (told.data["looked_at"], told.data["matched"]) == (2, 1)
    assert {one["matched"] for one in told.data["events"]} == {True, False}
    assert api.post(url, {"filter_conditions": {"x": 1}}, format="json").status_code == 400


def test_events_are_found_by_a_text_in_them(api, make_workflow):
    workflow = make_workflow("manual")
    arrive(workflow, {"email": "ada@example.com"})
    arrive(workflow, {"email": "bob@example.com", "note": "Grüße 100%"})
    old = arrive(workflow, {"email": "ada@example.org"})
    TriggerEvent.objects.filter(pk=old).update(received_at=clock.now() - timedelta(days=8))

    def found(**asked):
        return len(api.get("/api/v1/events/", asked).data["results"])

    assert found(search="ADA@") == 1
    assert found(search="Grüße 100%") == 1
    assert found(search="nobody") == 0
    long_ago = (clock.now() - timedelta(days=9)).isoformat()
    assert found(search="ada@", received_after=long_ago) == 2


def test_a_search_that_takes_too_long_says_what_to_change(api, make_workflow, monkeypatch):
    arrive(make_workflow("manual"), {"email": "ada@example.com"})
    monkeypatch.setattr("triggers.api.events.SEARCH_MS", 1)
    slow = TriggerEvent.objects.annotate(slept=RawSQL("pg_sleep(0.2)::text", ()))
    monkeypatch.setattr(
        "triggers.api.events.EventViewSet.get_queryset", lambda _self: slow.order_by("-id")
    )

    refused = api.get("/api/v1/events/", {"search": "ada"})

    assert refused.status_code == 400
    assert "shorter time" in refused.data["message"]


def test_an_event_is_kept_as_a_sample_by_who_builds(api, viewer, make_workflow):
    event_id = arrive(make_workflow("manual"), {"n": 1})
    url = f"/api/v1/events/{event_id}/sample/"

    assert viewer.post(url).status_code == 403
    assert api.post(url).data["is_sample"] is True
    assert api.post(url).data["is_sample"] is True
    assert api.post(url, {"is_sample": False}, format="json").data["is_sample"] is False
    assert AuditEntry.objects.filter(act="event.sample").count() == 2


def test_many_events_are_replayed_by_who_may(api, viewer, make_workflow):
    arrive(make_workflow("manual"), {"n": 1})
    dispatch_all()
    url, wanted = "/api/v1/events/replay/", {"filter": {"search": '"n": 1'}}

    assert viewer.post(url, wanted, format="json").status_code == 403
    assert api.post(url, {**wanted, "preview": True}, format="json").data["count"] == 1
    begun = api.post(url, wanted, format="json")
    assert begun.status_code == 202
    [job] = viewer.get("/api/v1/replay-jobs/").data["results"]
    assert (job["id"], job["status"], job["total"]) == (begun.data["id"], "RUNNING", 1)
    stop = f"/api/v1/replay-jobs/{job['id']}/cancel/"
    assert viewer.post(stop).status_code == 403
    assert api.post(stop).data["status"] == "CANCELLED"
