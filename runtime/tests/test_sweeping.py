from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from leadsend.lib import clock, objects
from runtime import payloads, sweeping
from runtime.models import Execution

pytestmark = pytest.mark.django_db
LARGE = b'{"note":"%s"}' % (b"x" * 300_000)


@pytest.fixture(autouse=True)
def _nothing_known(objects_stored):
    payloads.forget()
    yield
    payloads.forget()


def put(project_id, *, days_ago, data=LARGE):
    with time_machine.travel(clock.now() - timedelta(days=days_ago), tick=False):
        return payloads.put(data, project_id=project_id)


def exists(reference, project_id):
    key = payloads.key_of(reference, project_id).rpartition("/")
    return key[2] in objects.names(key[0])[1]


def test_what_no_row_names_goes_once_its_day_is_over(make):
    project = make("PENDING").project_id
    old, fresh = put(project, days_ago=3), put(project, days_ago=1)

    assert sweeping.sweep() == 1
    assert not exists(old, project)
    assert exists(fresh, project)


@pytest.mark.parametrize("column", ["context_data", "request_data", "output"])
def test_what_a_run_names_stays(make, column):
    run = make("RUNNING")
    kept = put(run.project_id, days_ago=40)
    Execution.objects.filter(pk=run.pk).update(**{column: kept})

    assert sweeping.sweep() == 0
    assert exists(kept, run.project_id)


def test_what_a_step_names_stays_and_what_looks_like_a_name_does_not_help(make):
    run = make("RUNNING")
    kept = put(run.project_id, days_ago=40)
    gone = put(run.project_id, days_ago=40, data=LARGE + b" ")
    make.step(run, "first", "SUCCESS", result_data=kept)
    make.step(run, "second", "SUCCESS", result_data=gone.stored())

    assert sweeping.sweep() == 1
    assert exists(kept, run.project_id)
    assert not exists(gone, run.project_id)


def test_an_object_of_one_project_is_not_kept_by_another(make):
    run = make("RUNNING")
    kept = put(run.project_id, days_ago=5)
    other = run.pk
    same = put(other, days_ago=5)
    Execution.objects.filter(pk=run.pk).update(context_data=kept)

    assert sweeping.sweep() == 1
    assert exists(kept, run.project_id)
    assert not exists(same, other)
