"""Event keys are kept for thirty days, and no longer."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from leadsend.access.models import Project
from leadsend.lib import clock
from leadsend.testing.factories import make_project
from triggers.forgetting import forget_event_keys
from triggers.models import EventKey

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
