from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from django.db import DatabaseError, OperationalError

from leadsend import engine_process


@pytest.fixture
def batches(monkeypatch):
    """What the bulk worker answers, call by call; an exception is raised."""
    left: list[Any] = []

    def work():
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("leadsend.engine_process.bulk_working.work", work)
    monkeypatch.setattr("leadsend.engine_process.replay_jobs.work", lambda: 0)
    monkeypatch.setattr(
        "leadsend.engine_process.django_connection.close", lambda: left.append("hung up")
    )
    return left


@pytest.mark.parametrize(
    ("answers", "pause_s"),
    [
        ([0], 5.0),
        ([25, 25, 3, 0], 1.0),
        ([OperationalError("away")], 5.0),
        ([7, ValueError("a bug of ours")], 5.0),
    ],
    ids=["nothing", "some", "away", "bug"],
)
def test_bulk_jobs_are_worked_off_and_no_failure_ends_the_thread(batches, answers, pause_s):
    batches += answers

    assert engine_process.do_bulk() == pause_s

    assert batches == ["hung up"]


def test_replays_of_events_are_worked_off_beside_bulk_jobs(batches, monkeypatch):
    batches += [25, 0]
    replays = [25, 5, 0]
    monkeypatch.setattr("leadsend.engine_process.replay_jobs.work", lambda: replays.pop(0))

    assert engine_process.do_bulk() == 1.0

    assert (batches, replays) == (["hung up"], [])


def test_one_turn_leaves_room_for_other_engines(batches):
    batches += [25] * 100

    engine_process.do_bulk()

    assert len(batches) > 90


@pytest.mark.parametrize("error", [DatabaseError("away"), RuntimeError("a bug")])
def test_the_reaper_outlives_whatever_goes_wrong(monkeypatch, error):
    hung_up = []
    monkeypatch.setattr("leadsend.engine_process.recovery.reap", Mock(side_effect=error))
    monkeypatch.setattr(
        "leadsend.engine_process.django_connection.close", lambda: hung_up.append(True)
    )

    engine_process.reap_once()

    assert hung_up
