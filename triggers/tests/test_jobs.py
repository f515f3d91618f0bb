"""What beat asks for, and the row that makes it ask."""

from __future__ import annotations

import psycopg
import pytest
from django_celery_beat.models import PeriodicTask

from triggers import jobs, pumping
from triggers.beat import PUMP_ROW, ensure_beat_rows
from triggers.models import TriggerEvent
from triggers.tests.test_schedules import make_due


@pytest.mark.django_db(transaction=True)
def test_the_job_fires_what_is_due():
    make_due()

    jobs.pump()

    assert TriggerEvent.objects.count() == 1


def test_the_job_leaves_a_database_that_is_away_to_the_next_one(monkeypatch, caplog):
    async def away():
        raise psycopg.OperationalError("gone")

    monkeypatch.setattr(pumping, "pump_once", away)
    jobs.pump()

    assert "the database is away" in caplog.text


@pytest.mark.django_db
def test_beat_has_one_row_that_pumps_every_second():
    ensure_beat_rows()
    PeriodicTask.objects.filter(name=PUMP_ROW).update(enabled=False)
    ensure_beat_rows()

    row = PeriodicTask.objects.get(task=jobs.pump.name)
    assert row.enabled
    assert (row.interval.every, row.interval.period) == (1, "seconds")
