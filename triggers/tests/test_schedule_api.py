"""Schedules by REST: paused, resumed, run, explained."""

from __future__ import annotations

import pytest

from leadsend.lib import clock
from triggers.models import (
    ScheduleTrigger,
    TriggerEvent,
)

pytestmark = pytest.mark.django_db


def test_a_schedule_is_paused_resumed_and_run_by_who_may(api, viewer, make_workflow):
    make_workflow({"trigger_key": "schedule", "cfg": {"cron": "0 9 * * mon-fri"}})
    [row] = api.get("/api/v1/schedules/").data["results"]
    url = f"/api/v1/schedules/{row['id']}/"

    assert row["words"] == "Every weekday at 09:00"
    for act in ("pause", "resume", "run"):
        assert viewer.post(f"{url}{act}/").status_code == 403
    assert api.post(f"{url}pause/").data["paused_at"] is not None
    assert api.get(f"{url}coming/").data["ticks"] == []
    assert api.post(f"{url}resume/").data["paused_at"] is None
    assert len(viewer.get(f"{url}coming/").data["ticks"]) == 10
    fired = api.post(f"{url}run/")
    assert fired.status_code == 202
    assert str(TriggerEvent.objects.get().pk) == fired.data["event_id"]


def test_a_stranger_sees_no_schedule(stranger, make_workflow):
    make_workflow({"trigger_key": "schedule", "cfg": {"cron": "0 9 * * *"}})
    row = ScheduleTrigger.objects.get()

    for act in ("pause", "resume", "run"):
        assert stranger.post(f"/api/v1/schedules/{row.pk}/{act}/").status_code == 404
    assert stranger.get(f"/api/v1/schedules/{row.pk}/coming/").status_code == 404


def test_rules_are_explained_before_they_are_saved(api):
    asked = {"cron": "30 2 * * *", "timezone": "Europe/Berlin", "count": 3}
    told = api.post("/api/v1/schedules/preview/", asked, format="json")

    assert told.data["words"] == "Every day at 02:30"
    assert len(told.data["ticks"]) == 3
    assert told.data["ticks"][0].keys() == {"at", "left_out", "clocks_change"}
    wrong = api.post("/api/v1/schedules/preview/", {"cron": "every day"}, format="json")
    assert wrong.status_code == 400
    assert "at what time" in str(wrong.data)


def test_schedules_are_listed_with_their_next_tick(api, make_workflow):
    make_workflow({"trigger_key": "schedule", "cfg": {"cron": "0 9 * * mon-fri"}})

    [row] = api.get("/api/v1/schedules/").data["results"]
    assert row["cron"] == "0 9 * * mon-fri"
    assert row["next_due_at"] > clock.now()
