"""Events and their keys are kept for thirty days, and longer where something came of them."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from leadsend.access.models import Project
from leadsend.lib import clock, ids
from leadsend.testing.factories import make_event, make_execution, make_project
from runtime.models import Execution
from triggers.forgetting import forget_event_keys, forget_events
from triggers.models import EventKey, InboxEntry, TriggerEvent

pytestmark = pytest.mark.django_db


def make_key(project: Project, *, days: float) -> EventKey:
    return EventKey.objects.create(
        project=project,
        source="webhook:1",
        key=f"key-{days}",
        event_id=uuid.uuid4(),
        created_at=clock.now() - timedelta(days=days),
    )


def test_only_keys_older_than_thirty_days_are_forgotten():
    project = make_project()
    old, young = make_key(project, days=31), make_key(project, days=29)

    count = forget_event_keys()

    assert count == 1
    assert list(EventKey.objects.values_list("pk", flat=True)) == [young.pk]
    assert old.pk != young.pk


def make_old(*, days: float, **fields: Any) -> TriggerEvent:
    at = int((clock.now() - timedelta(days=days)).timestamp() * 1000)
    return make_event(id=ids.uuid7(at), **fields)


def test_events_go_when_nothing_of_them_is_left():
    gone = make_old(days=31)
    broken = {"code": "filter_failed", "reason": "No."}
    kept = [
        make_old(days=29),
        make_old(days=31, is_sample=True),
        make_old(days=31, fate=broken),
    ]
    waiting, started = make_old(days=31), make_old(days=31)
    InboxEntry.objects.create(id=waiting.pk, event_id=waiting.pk)
    run = make_execution(id=ids.execution_id(started.pk, uuid.uuid4()), trigger_event_id=started.pk)
    too_old = make_old(days=91, fate=broken)

    assert forget_events() == 2
    left = set(TriggerEvent.objects.values_list("pk", flat=True))
    assert left == {event.pk for event in (*kept, waiting, started)}
    assert {gone.pk, too_old.pk}.isdisjoint(left)
    Execution.objects.filter(pk=run.pk).delete()
    assert forget_events() == 1
