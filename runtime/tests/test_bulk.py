"""One act on many runs: previewed, noted, worked off in batches, each run once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from leadsend.access.models import AuditEntry, Membership, Project, Role
from leadsend.lib import clock, ids
from leadsend.lib.errors import Conflict, InvalidInput
from runtime import bulk, bulk_working, executions
from runtime.models import BulkItem, BulkJob, Execution
from runtime.tests.conftest import member
from runtime.tests.test_api import RUNS, client_of, post

pytestmark = [pytest.mark.django_db, pytest.mark.urls("runtime.tests.urls")]

BULK = f"{RUNS}bulk/"
JOBS = "/api/v1/bulk-jobs/"


@pytest.fixture
def client(ana):
    return client_of(ana)


def make_job(project, user, *, act="retry", per_second=100, **options):
    plan = bulk.Plan(
        act=act, found=Execution.objects.all(), filter={}, options=options, per_second=per_second
    )
    return bulk.begin(plan, project=project, user=user)


def later(job, seconds=1):
    """Let so much time pass for the job's rate."""
    BulkJob.objects.filter(pk=job.pk).update(worked_at=clock.now() - timedelta(seconds=seconds))


def work_off(job):
    for _ in range(50):
        later(job)
        bulk_working.work()
        job.refresh_from_db()
        if job.status != "RUNNING":
            return
    raise AssertionError("The job does not come to an end.")


def test_a_preview_counts_shows_a_few_and_does_nothing(client, make):
    failed = [make("FAILED") for _ in range(7)]
    make("SUCCESS")
    executions.retry(make("FAILED"), user=None)

    answer = post(client, BULK, {"act": "retry", "filter": {"status": "FAILED"}, "preview": True})

    assert (answer.status_code, answer.json()["count"]) == (200, 7)
    newest = sorted((str(run.pk) for run in failed), reverse=True)[:5]
    assert [run["id"] for run in answer.json()["sample"]] == newest
    assert not BulkJob.objects.exists()


def test_a_bulk_retry_makes_one_new_run_for_each_and_says_how_far_it_is(client, make, outside):
    failed = [make("FAILED") for _ in range(3)]
    make("TIMED_OUT")
    body = {"act": "retry", "filter": {"status": ["FAILED"]}, "version": "live", "per_second": 50}

    begun = post(client, BULK, body)
    job = BulkJob.objects.get(pk=begun.json()["id"])
    work_off(job)

    assert (begun.status_code, begun.json()["status"], begun.json()["total"]) == (202, "RUNNING", 3)
    shown = client.get(f"{JOBS}{job.pk}/").json()
    assert (shown["status"], shown["done"], shown["refused"]) == ("DONE", 3, 0)
    assert shown["created_by"] == "ana@example.org"
    new = Execution.objects.filter(retry_of__in=[run.pk for run in failed])
    assert {run.lineage["bulk_job"] for run in new} == {str(job.pk)}
    assert new.count() == Execution.objects.exclude(retry_of=None).count() == 3
    items = client.get(f"{JOBS}{job.pk}/items/").json()["results"]
    assert {item["result_id"] for item in items} == {str(run.pk) for run in new}
    entries = AuditEntry.objects.filter(object_id=str(job.pk)).order_by("number")
    acts = list(entries.values_list("act", flat=True))
    assert acts == ["bulk.begin", "execution.retry", "bulk.end"]
    named = AuditEntry.objects.get(act="execution.retry").detail["executions"]
    assert sorted(named) == sorted(str(run.pk) for run in failed)


def test_a_bulk_cancel_ends_what_is_unfinished(project, ana, make):
    waiting, done = make("WAITING"), make("SUCCESS")
    in_flight = make("RUNNING", pending=[{"step": "first", "item": None, "attempt": 1}])

    job = make_job(project, ana, act="cancel")
    work_off(job)

    assert (job.done, job.total) == (2, 2)
    statuses = [Execution.objects.get(pk=run.pk).status for run in (waiting, done, in_flight)]
    assert statuses == ["CANCELLED", "SUCCESS", "RUNNING"]
    assert Execution.objects.get(pk=in_flight.pk).cancel_requested_at is not None


def test_what_cannot_be_done_is_refused_with_the_reason_and_the_rest_goes_on(
    project, ana, make, client
):
    first, second, third = (make("FAILED") for _ in range(3))
    job = make_job(project, ana)
    executions.retry(first, user=ana)
    Execution.objects.filter(pk=second.pk).delete()

    work_off(job)

    assert (job.status, job.done, job.refused) == ("DONE", 1, 2)
    found = client.get(f"{JOBS}{job.pk}/items/?status=REFUSED").json()["results"]
    assert {item["execution_id"] for item in found} == {str(first.pk), str(second.pk)}
    assert all(item["message"] for item in found)
    assert Execution.objects.filter(retry_of=third.pk).count() == 1


def test_a_process_that_dies_in_the_middle_did_nothing_and_nothing_is_done_twice(
    project, ana, make, monkeypatch
):
    for _ in range(5):
        make("FAILED")
    job = make_job(project, ana)
    later(job)
    calls = []

    def die(*args, **kwargs):
        calls.append(1)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(bulk_working, "_count", die)
        with pytest.raises(KeyboardInterrupt):
            bulk_working.work()
    assert calls
    assert Execution.objects.exclude(retry_of=None).count() == 0

    work_off(job)

    tries = Execution.objects.exclude(retry_of=None).values_list("retry_of", flat=True)
    assert len(tries) == len(set(tries)) == 5
    assert BulkItem.objects.filter(status="WAITING").count() == 0


def test_a_job_keeps_to_its_rate_and_does_not_catch_up_all_at_once(project, ana, make):
    for _ in range(20):
        make("FAILED")
    job = make_job(project, ana, per_second=2)

    later(job, 1)
    first = bulk_working.work()
    at_once = bulk_working.work()
    later(job, 3600)
    after_an_hour = bulk_working.work()

    assert (first, at_once, after_an_hour) == (2, 0, 10)


def test_a_stopped_job_stays_stopped_and_says_the_same_twice(project, ana, make, client):
    make("FAILED")
    job = make_job(project, ana)

    first = post(client, f"{JOBS}{job.pk}/cancel/")
    second = post(client, f"{JOBS}{job.pk}/cancel/")
    later(job)

    assert (first.status_code, first.json()["status"]) == (200, "CANCELLED")
    assert first.json() == second.json()
    assert bulk_working.work() == 0
    assert AuditEntry.objects.filter(act="bulk.cancel").count() == 1


def test_a_job_ends_when_who_asked_for_it_may_not_operate_runs_any_more(project, ana, make):
    make("FAILED")
    job = make_job(project, ana)
    Membership.objects.filter(user=ana).update(role=Role.VIEWER)
    later(job)

    assert bulk_working.work() == 0

    job.refresh_from_db()
    assert job.status == "CANCELLED"
    assert "may not operate" in job.error


def test_an_act_on_nothing_is_refused(project, ana):
    with pytest.raises(Conflict):
        make_job(project, ana)

    assert not BulkJob.objects.exists()


def test_too_many_at_once_are_refused_before_anything_is_noted(project, ana, make, monkeypatch):
    monkeypatch.setattr(bulk, "MOST_AT_ONCE", 1)
    for _ in range(2):
        make("FAILED")

    with pytest.raises(InvalidInput, match="Narrow the filter"):
        make_job(project, ana)

    assert not BulkJob.objects.exists()


def test_runs_of_other_projects_are_not_touched(client, make):
    make("FAILED")
    other = Project.objects.create(name="Other", slug="other")
    eve = member(other, "eve@example.org", Role.ADMIN)

    answer = post(client_of(eve), BULK, {"act": "retry", "filter": {}, "preview": True})

    assert answer.json() == {"count": 0, "sample": []}


def test_who_may_only_look_may_not_begin(project, make):
    vera = client_of(member(project, "vera@example.org", Role.VIEWER))

    assert post(vera, BULK, {"act": "retry", "filter": {}, "preview": True}).status_code == 403


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"act": "delete", "filter": {}}, "/act"),
        ({"act": "retry"}, "/filter"),
        ({"act": "retry", "filter": {"state": "FAILED"}}, "/filter/state"),
        ({"act": "retry", "filter": {"status": "NEVER"}}, "/filter/status"),
        ({"act": "retry", "filter": {"workflow": ["x", {}]}}, "/filter/workflow"),
        ({"act": "retry", "filter": {}, "per_second": 0}, "/per_second"),
        ({"act": "cancel", "filter": {}, "version": "live"}, "/version"),
        ({"act": "replay", "filter": {}, "from_step": "first"}, "/from_step"),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_place(client, make, body, path):
    make("FAILED")

    answer = post(client, BULK, body)

    assert answer.status_code == 400, answer.json()
    assert path in [problem["path"] for problem in answer.json()["problems"]]
    assert not BulkJob.objects.exists()


def test_lists_are_narrowed_to_dead_letters_and_to_what_waits_for_a_decision(client, make):
    poison = make("FAILED", error={"code": "poison"})
    mended = make("FAILED", error={"code": "http_500"})
    executions.retry(mended, user=None)
    late = make("TIMED_OUT")
    unsure = make("WAITING")
    make.step(unsure, "first", "UNCERTAIN")

    def listed(query):
        return {row["id"] for row in client.get(f"{RUNS}?{query}").json()["results"]}

    assert listed("dead_letter=true") == {str(poison.pk), str(late.pk)}
    assert listed("error_code=poison") == {str(poison.pk)}
    assert listed("uncertain=true") == {str(unsure.pk)}
    assert str(unsure.pk) not in listed("uncertain=false")
    assert listed(f"uncertain=true&workflow={ids.uuid7()}") == set()
