"""Every state × every act × asked twice, through REST: the second call says the same."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from leadsend.access.models import AuditEntry
from leadsend.lib import clock
from runtime.models import ExecutionTimer
from runtime.tests.test_api import RUNS, client_of, post

pytestmark = [pytest.mark.django_db, pytest.mark.urls("runtime.tests.urls")]

EFFECT = [{"step": "second", "item": None, "attempt": 1}]
# In each of these: (status and error code after cancel, after pause, after resume).
STATES = {
    "pending": ("CANCELLED", "PAUSED", "PENDING"),
    "pending after a crash": ("CANCELLED", "PAUSED", "PENDING"),
    "computing": ("CANCELLED", "PAUSED", "RUNNING"),
    "computing in a dead process": ("CANCELLED", "PAUSED", "RUNNING"),
    "effect in flight": ("RUNNING", "RUNNING", "RUNNING"),
    "effect in flight, pausing": ("RUNNING", "RUNNING", "RUNNING"),
    "effect in flight, cancelling": ("RUNNING", "cancelling", "RUNNING"),
    "waiting for a moment": ("CANCELLED", "PAUSED", "WAITING"),
    "waiting for a decision": ("CANCELLED", "PAUSED", "WAITING"),
    "waiting for somebody": ("CANCELLED", "PAUSED", "WAITING"),
    "paused": ("CANCELLED", "PAUSED", "PENDING"),
    "cancelled": ("CANCELLED", "finished", "finished"),
    "done": ("finished", "finished", "finished"),
    "failed": ("finished", "finished", "finished"),
    "timed out": ("finished", "finished", "finished"),
}
ACTS = ("cancel", "pause", "resume")


def make_in(state, make):
    now = clock.now()
    fields: dict[str, tuple[str, dict[str, Any]]] = {
        "pending": ("PENDING", {}),
        "pending after a crash": ("PENDING", {"pending": EFFECT, "crash_count": 1, "fence": 2}),
        "computing": ("RUNNING", {}),
        "computing in a dead process": ("RUNNING", {"lease_until": now - timedelta(seconds=9)}),
        "effect in flight": ("RUNNING", {"pending": EFFECT}),
        "effect in flight, pausing": ("RUNNING", {"pending": EFFECT, "pause_requested_at": now}),
        "effect in flight, cancelling": (
            "RUNNING",
            {"pending": EFFECT, "cancel_requested_at": now},
        ),
        "waiting for a moment": ("WAITING", {}),
        "waiting for a decision": ("WAITING", {}),
        "waiting for somebody": ("WAITING", {}),
        "paused": ("PAUSED", {}),
        "cancelled": ("CANCELLED", {}),
        "done": ("SUCCESS", {}),
        "failed": ("FAILED", {}),
        "timed out": ("TIMED_OUT", {}),
    }
    status, values = fields[state]
    run = make(status, **values)
    if state == "waiting for a moment":
        make.step(run, "first", "WAITING", due_at=now + timedelta(hours=1))
        ExecutionTimer.objects.create(execution=run, due_at=now + timedelta(hours=1))
    if state == "waiting for a decision":
        make.step(run, "first", "UNCERTAIN")
    return run


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("state", STATES)
def test_asking_twice_says_the_same_and_leaves_one_entry(make, ana, state, act):
    run = make_in(state, make)
    expected = STATES[state][ACTS.index(act)]
    client = client_of(ana)

    first = post(client, f"{RUNS}{run.pk}/{act}/")
    second = post(client, f"{RUNS}{run.pk}/{act}/")

    assert (first.status_code, first.json()) == (second.status_code, second.json())
    if first.status_code == 200:
        assert first.json()["status"] == expected
        assert first.json() == client.get(f"{RUNS}{run.pk}/").json()
    else:
        assert (first.status_code, first.json()["code"]) == (409, expected)
    assert AuditEntry.objects.filter(object_id=str(run.pk)).count() <= 1
    if first.json().get("status") in ("CANCELLED", "PAUSED"):
        assert not ExecutionTimer.objects.exists()


@pytest.mark.parametrize(
    "state", [state for state, after in STATES.items() if after[0] == "CANCELLED"]
)
def test_a_cancel_is_final_at_once_when_nothing_is_in_flight(make, ana, state):
    run = make_in(state, make)

    body = post(client_of(ana), f"{RUNS}{run.pk}/cancel/").json()

    assert (body["status"], body["ended_at"] is not None) == ("CANCELLED", True)
