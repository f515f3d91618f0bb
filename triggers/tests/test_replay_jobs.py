"""Many events replayed: what a filter finds, at a rate, once each, whoever dies."""

from __future__ import annotations

from datetime import timedelta

import pytest

from leadsend.access.models import AuditEntry, Membership
from leadsend.lib import clock, ids
from leadsend.lib.errors import Conflict, InvalidInput
from leadsend.testing.dispatching import dispatch_all
from runtime.models import Execution
from triggers import replay_jobs, replaying, subscribing
from triggers.models import InboxEntry, ReplayJob, Subscription, TriggerEvent
from triggers.tests.test_dispatch import arrive

pytestmark = pytest.mark.django_db


@pytest.fixture
def events(make_workflow):
    """Five events whose filter let nothing through, of a workflow that lets all through now."""
    never = {"trigger_key": "manual", "filter_conditions": {"cel": "false"}}
    workflow = make_workflow(never)
    ids = [arrive(workflow, {"n": number}) for number in range(5)]
    dispatch_all()
    workflow.subscriptions.update(filter_conditions={})
    return ids


def begin(project, dev, per_second=100, **wanted):
    return replay_jobs.begin(project, wanted, per_second=per_second, user=dev)


def work(job, seconds=1.0):
    """Let so much time have passed since somebody last worked on the job, and work on it."""
    ReplayJob.objects.filter(pk=job.pk).update(worked_at=clock.now() - timedelta(seconds=seconds))
    return replay_jobs.work()


def test_what_a_filter_finds_is_counted_and_then_replayed_once(project, dev, events):
    found = replay_jobs.preview(project, {"fate": "filtered_out"})
    job = begin(project, dev, fate="filtered_out")

    assert (found.count, job.total) == (5, 5)
    assert found.newest is not None
    assert found.newest.pk == max(events)
    assert work(job) == 5
    assert work(job) == 0
    dispatch_all()
    job.refresh_from_db()
    assert (job.status, job.done, job.refused) == ("DONE", 5, 0)
    replayed = Execution.objects.values_list("trigger_event_id", "replay")
    assert sorted(replayed) == sorted((event, 1) for event in events)


def test_the_rate_holds(project, dev, events):
    job = begin(project, dev, per_second=2)

    assert [work(job, 0.4), work(job, 1.0), work(job, 1.0), work(job, 1.0)] == [0, 2, 2, 1]


def test_one_that_stood_still_does_not_catch_up_all_at_once(project, dev, events, monkeypatch):
    assert work(begin(project, dev, per_second=1), 3600) == 5
    monkeypatch.setattr("runtime.rated_jobs.MOST_CATCHING_UP_S", 2.0)
    assert work(begin(project, dev, per_second=1), 3600) == 2


def test_events_that_came_later_are_left_alone(project, dev, events, make_workflow):
    job = begin(project, dev)
    arrive(make_workflow("manual", name="Other"), {"n": 9})

    work(job)

    assert InboxEntry.objects.filter(replay__gt=0).count() == 5


def test_an_event_that_fits_no_longer_is_passed_over(project, dev, events):
    job = begin(project, dev, fate="filtered_out")
    TriggerEvent.objects.filter(pk=events[2]).update(fate=None)

    work(job)

    assert InboxEntry.objects.filter(replay=1).count() == 4


def test_what_is_refused_is_counted_with_the_reason(project, dev, events, monkeypatch):
    real = replaying.replay_event

    def replay(event, **more):
        if event.pk == events[1]:
            raise Conflict("Not this one.")
        return real(event, **more)

    monkeypatch.setattr(replaying, "replay_event", replay)
    job = begin(project, dev)
    work(job)
    job.refresh_from_db()

    assert (job.status, job.done, job.refused) == ("DONE", 4, 1)
    assert job.error == "Not this one."


def test_a_batch_that_fails_did_nothing(project, dev, events, monkeypatch):
    job = begin(project, dev)
    monkeypatch.setattr("triggers.replay_jobs.audit.record", lambda *_a, **_k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        work(job)
    monkeypatch.undo()

    assert not InboxEntry.objects.exists()
    assert work(job) == 5


def test_who_lost_the_right_replays_nothing_more(project, dev, events):
    job = begin(project, dev)
    Membership.objects.filter(user=dev).delete()

    assert work(job) == 0
    job.refresh_from_db()
    assert job.status == "CANCELLED"
    assert "may not replay" in job.error
    assert not InboxEntry.objects.exists()


def test_a_stopped_job_does_no_more(project, dev, events):
    job = begin(project, dev, per_second=2)
    work(job)
    replay_jobs.cancel(job, user=dev)
    replay_jobs.cancel(job, user=dev)

    assert work(job) == 0
    assert InboxEntry.objects.filter(replay=1).count() == 2
    assert AuditEntry.objects.filter(act="replay.cancel").count() == 1


def test_a_finished_job_cannot_be_stopped(project, dev, events):
    job = begin(project, dev)
    work(job)

    with pytest.raises(Conflict, match="done"):
        replay_jobs.cancel(job, user=dev)


def test_nothing_found_and_unknown_filters_are_refused(project, dev, events):
    with pytest.raises(Conflict, match="nothing to replay"):
        begin(project, dev, fate="paused")
    with pytest.raises(InvalidInput) as refused:
        begin(project, dev, colour="red")

    assert refused.value.problems[0].path == "/filter/colour"
    assert not ReplayJob.objects.exists()


def test_too_many_at_once_are_refused(project, dev, events, monkeypatch):
    monkeypatch.setattr(replay_jobs, "MOST_AT_ONCE", 4)

    with pytest.raises(InvalidInput, match="Narrow the filter"):
        begin(project, dev)
    assert not ReplayJob.objects.exists()


def test_a_search_keeps_the_time_at_which_it_was_begun(project, dev, events):
    job = begin(project, dev, search="n")

    assert "received_after" in job.filter
    assert work(job) == 5


def test_what_ended_long_ago_is_forgotten(project, dev, events):
    for days in (1, 91):
        job = begin(project, dev)
        ReplayJob.objects.filter(pk=job.pk).update(ended_at=clock.now() - timedelta(days=days))
    begin(project, dev)

    assert replay_jobs.forget_jobs() == 1
    assert ReplayJob.objects.count() == 2


@pytest.fixture
def paused(make_workflow):
    """A subscription that was paused while two events came, of which one passes its filter."""
    small = {"all": [{"left": "{{ event.n }}", "op": "lt", "right": 5}]}
    workflow = make_workflow({"trigger_key": "manual", "filter_conditions": small})
    subscription = Subscription.objects.get(workflow=workflow)
    before = arrive(workflow, {"n": 0})
    dispatch_all()
    subscribing.pause(subscription, user=None)
    during = [arrive(workflow, {"n": 1}), arrive(workflow, {"n": 9})]
    dispatch_all()
    return subscription, before, during


def test_what_came_during_a_pause_starts_after_it_when_wanted(dev, paused):
    subscription, before, during = paused
    job = subscribing.resume_with_held(subscription, user=dev)

    assert job is not None
    work(job)
    dispatch_all()
    job.refresh_from_db()
    started = Execution.objects.values_list("trigger_event_id", "replay")
    # The one from before the pause had started; the last one does not pass the filter.
    assert sorted(started) == sorted([(before, 0), (during[0], 1)])
    assert (job.done, job.refused) == (2, 1)
    assert subscription.paused_at is None


def test_it_starts_nothing_when_nobody_wants_it(paused):
    subscription, before, _ = paused
    subscribing.resume(subscription, user=None)
    dispatch_all()

    assert [row.trigger_event_id for row in Execution.objects.all()] == [before]
    assert not ReplayJob.objects.exists()


def test_other_listeners_of_the_source_are_not_offered_the_events_again(dev, paused):
    subscription, _, _ = paused
    other = Subscription.objects.get(pk=subscription.pk)
    other.pk, other.trigger_id, other.paused_at = ids.uuid7(), "other", None
    other.save(force_insert=True)

    job = subscribing.resume_with_held(subscription, user=dev)
    assert job is not None
    work(job)

    assert {row.subscription_id for row in InboxEntry.objects.all()} == {subscription.pk}


def test_nothing_is_held_by_what_was_not_paused(dev, paused):
    subscription, _, _ = paused
    subscribing.resume(subscription, user=dev)

    assert subscribing.resume_with_held(subscription, user=dev) is None
