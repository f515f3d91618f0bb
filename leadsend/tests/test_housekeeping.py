from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from django.db import OperationalError

from leadsend import housekeeping
from runtime import retention
from triggers.forgetting import forget_event_keys


@pytest.fixture
def done(monkeypatch):
    """Notes what was done in ``seen``; the first chore raises ``error`` when there is one."""
    found = SimpleNamespace(seen=[], error=None)

    def first():
        found.seen.append("first")
        if found.error:
            raise found.error

    monkeypatch.setattr(housekeeping, "CHORES", (first, lambda: found.seen.append("second")))
    monkeypatch.setattr(
        "leadsend.housekeeping.connection.close", lambda: found.seen.append("hung up")
    )
    return found


def test_partitions_and_old_keys_are_looked_after():
    assert {retention.ensure_partitions, forget_event_keys} <= set(housekeeping.CHORES)


@pytest.mark.django_db
def test_the_chores_can_be_done_again_and_again(monkeypatch):
    monkeypatch.setattr("leadsend.housekeeping.connection.close", lambda: None)

    assert housekeeping.tidy()
    assert housekeeping.tidy()


@pytest.mark.parametrize("error", [OperationalError("away"), ValueError("a bug of ours")])
def test_a_chore_that_fails_keeps_no_other_from_being_done(done, error):
    done.error = error

    assert not housekeeping.tidy()

    assert done.seen == ["first", "second", "hung up"]


@pytest.mark.parametrize(
    ("error", "pause_s"), [(None, 3600.0), (KeyError("bug"), 60.0)], ids=["well", "failed"]
)
def test_the_thread_goes_on_after_any_failure_and_comes_back_sooner(done, error, pause_s):
    done.error = error
    pauses = []

    class Stop(threading.Event):
        def wait(self, timeout=None):
            pauses.append(timeout)
            return len(pauses) == 3

    housekeeping.keep_house(Stop())

    assert pauses == [0.0, pause_s, pause_s]
    assert done.seen == ["first", "second", "hung up"] * 2
