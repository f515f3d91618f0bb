"""Probes and figures."""

from __future__ import annotations

from datetime import timedelta

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
