"""Probes and figures."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import OperationalError

from leadsend import health
from leadsend.lib import clock, ids
from leadsend.testing.factories import make_execution
from triggers.models import InboxEntry

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/metrics", "/livez/"])
def test_probes_answer_without_sign_in(client, path):
    answer = client.get(path)

    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]


def test_health_is_ok_while_nothing_waits(client):
    body = client.get("/healthz").json()

    assert (body["status"], body["late"], body["oldest_pending_s"]) == ("ok", [], None)


def test_health_tells_what_waits_too_long(client):
    long_ago = clock.now() - timedelta(hours=1)
    make_execution(run_after=long_ago)
    InboxEntry.objects.create(id=ids.uuid7(), event_id=ids.uuid7(), received_at=long_ago)

    body = client.get("/healthz").json()

    assert body["status"] == "late"
    assert set(body["late"]) == {"oldest_inbox_s", "oldest_pending_s"}
    assert body["oldest_pending_s"] >= 3600


def test_metrics_are_lines_that_prometheus_reads(client):
    make_execution(run_after=clock.now() - timedelta(minutes=5))

    lines = client.get("/metrics").content.decode().splitlines()

    values = dict(line.split() for line in lines if not line.startswith("#"))
    assert float(values["leadsend_pending"]) == 1
    assert float(values["leadsend_oldest_pending_seconds"]) >= 300


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_probes_say_that_the_database_is_away(client, monkeypatch, path):
    def away():
        raise OperationalError("connection refused")

    monkeypatch.setattr(health, "read_vitals", away)

    answer = client.get(path)

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer.json()["code"] == "unavailable"


def test_health_tells_of_missing_months_and_of_a_full_disk(client, monkeypatch):
    usage = SimpleNamespace(total=100, free=9)
    monkeypatch.setattr("leadsend.health.shutil.disk_usage", lambda _: usage)
    fine = client.get("/healthz").json()
    monkeypatch.setattr(health, "FEWEST_MONTHS_AHEAD", 99)

    body = client.get("/healthz").json()

    assert (fine["late"], fine["months_ahead"] >= 3) == (["disk_free_ratio"], True)
    assert body["late"] == ["months_ahead", "disk_free_ratio"]
    assert body["disk_free_ratio"] == 0.09


def test_failed_runs_are_counted_by_when_they_began(client):
    now = clock.now()
    for hours in (1, 30):
        at = int((now - timedelta(hours=hours)).timestamp() * 1000)
        make_execution(id=ids.uuid7(at), status="FAILED", ended_at=now)

    assert client.get("/healthz").json()["failed_24h"] == 1
