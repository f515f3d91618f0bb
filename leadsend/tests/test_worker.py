from __future__ import annotations

import sys
import threading
from unittest.mock import Mock

import pytest
from celery.signals import worker_init

import leadsend.celery  # noqa: F401 - it connects itself to the signal
from leadsend import worker
from leadsend.worker import Engines

# Stands for an engine.
DIES = "import sys"


@pytest.fixture
def released(monkeypatch):
    """The ids of workers whose leases were freed, and an event that says that there are some."""
    found, event = [], threading.Event()

    def release(worker_id):
        found.append(worker_id)
        if len(found) >= 2:
            event.set()

    monkeypatch.setattr(worker, "_release", release)
    monkeypatch.setattr(worker, "_FIRST_PAUSE_S", 0.01)
    return found, event


def test_engines_start_and_end_together(released):
    engines = Engines(2, command=[sys.executable, "-c", "import sys; sys.stdin.read(1)"])
    engines.start()
    wait_for(lambda: len(engines.pids()) == 2)

    engines.ring()
    engines.stop(grace_s=10)

    assert engines.pids() == []


def test_a_dead_engine_is_replaced_and_its_leases_are_freed(released):
    found, event = released
    engines = Engines(1, command=[sys.executable, "-c", DIES])

    engines.start()
    assert event.wait(20)
    engines.stop(grace_s=5)

    assert len(found) == len(set(found)) >= 2


def test_a_killed_engine_is_replaced_without_a_long_pause(released, monkeypatch):
    monkeypatch.setattr(worker, "_FIRST_PAUSE_S", 100.0)
    monkeypatch.setattr(worker, "_LONGEST_PAUSE_AFTER_KILL_S", 0.01)
    kills_itself = "import os; os.kill(os.getpid(), 9)"
    engines = Engines(1, command=[sys.executable, "-c", kills_itself])

    engines.start()
    assert released[1].wait(20)
    engines.stop(grace_s=5)

    assert len(released[0]) >= 2


def test_an_engine_that_ends_during_the_shutdown_is_not_replaced(released):
    engines = Engines(1, command=[sys.executable, "-c", "import sys; sys.stdin.read(1)"])
    engines.start()
    wait_for(engines.pids)
    (first,) = engines.pids()

    engines.stop_soon()
    wait_for(lambda: first not in engines.pids())

    assert engines.pids() == []
    engines.stop(grace_s=5)


def test_workers_talk_to_each_other_about_nothing():
    """Gossip and mingle do not survive a broker that goes away."""
    host = Mock(options={})

    worker_init.send(sender=host)

    assert host.options == {
        "without_gossip": True,
        "without_mingle": True,
        "without_heartbeat": True,
    }


def test_an_engine_that_does_not_end_is_killed_after_its_grace(released):
    stubborn = "import signal, sys; signal.signal(15, signal.SIG_IGN); print('up', flush=True); "
    engines = Engines(1, command=[sys.executable, "-c", stubborn + "signal.pause()"])
    engines.start()
    wait_for(engines.pids)

    engines.stop(grace_s=0.0)

    assert engines.pids() == []


def wait_for(what):
    for _ in range(1000):
        if what():
            return
        threading.Event().wait(0.01)
    raise AssertionError("It did not come.")
