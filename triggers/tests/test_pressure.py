"""Webhooks are refused while too much waits, without a count for each of them."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from leadsend.lib import ids
from leadsend.lib.errors import TooManyRequests, Unavailable
from leadsend.testing.dispatching import dispatch_all
from triggers import endpoints, hooks, pressure
from triggers.models import InboxEntry, WebhookEndpoint
from triggers.tests.test_dispatch import arrive


@pytest.fixture
def hook(make_workflow):
    """A published workflow's endpoint, and a function that lets events for it wait."""
    workflow = make_workflow("webhook")
    endpoint = WebhookEndpoint.objects.get()

    def fill(count):
        for _ in range(count):
            arrive(workflow, {"email": "ada@example.com"}, source=f"webhook:{endpoint.pk}")

    return SimpleNamespace(token=endpoint.token, fill=fill)


@pytest.fixture
def disk(settings, monkeypatch):
    """A disk of a hundred blocks; ``free`` says how many are left."""
    settings.LEADSEND_DISK_PATH = "/data"
    found = SimpleNamespace(f_blocks=100, f_bavail=50)
    monkeypatch.setattr(os, "statvfs", lambda path: found)
    pressure._seen.clear()
    yield found
    pressure._seen.clear()


@pytest.mark.parametrize("is_dispatched", [False, True])
def test_a_webhook_is_refused_once_as_much_waits_as_may(hook, settings, is_dispatched):
    settings.LEADSEND_MOST_QUEUED = 3
    hook.fill(2)
    assert not hooks.known(endpoints.load(hook.token)).is_full
    hook.fill(1)
    if is_dispatched:
        dispatch_all()

    endpoint = hooks.known(endpoints.load(hook.token))

    assert endpoint.is_full
    request = hooks.HookRequest(token=hook.token, method="POST", headers={}, query="", ip="")
    with pytest.raises(TooManyRequests) as refused:
        hooks.check_head(endpoint, request)
    answer = hooks.refusal(refused.value)
    assert answer.status == 429
    assert ("retry-after", "10") in answer.headers


def test_what_waits_for_others_does_not_count(hook, settings):
    settings.LEADSEND_MOST_QUEUED = 1
    InboxEntry.objects.create(id=ids.uuid7(), event_id=ids.uuid7())

    assert not hooks.known(endpoints.load(hook.token)).is_full


def test_nothing_is_counted_where_any_number_may_wait(hook, settings, django_assert_num_queries):
    settings.LEADSEND_MOST_QUEUED = 0
    with django_assert_num_queries(2):
        endpoints.load(hook.token)


def test_a_full_disk_refuses_and_is_looked_at_now_and_then(disk, monkeypatch):
    pressure.check(is_full=False)
    disk.f_bavail = 9
    pressure.check(is_full=False)  # what was seen a moment ago still counts

    pressure._seen.clear()

    with pytest.raises(Unavailable) as refused:
        pressure.check(is_full=False)
    assert refused.value.code == "disk_full"
    assert hooks.refusal(refused.value).status == 503


def test_a_disk_that_cannot_be_looked_at_stops_nothing(disk, monkeypatch):
    def fail(path):
        raise FileNotFoundError(path)

    monkeypatch.setattr(os, "statvfs", fail)

    pressure.check(is_full=False)
