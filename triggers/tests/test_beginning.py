"""Executions that begin in memory: what is committed when, and what a dead process leaves."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from psycopg import OperationalError

from leadsend.lib import clock, ids
from leadsend.lib.postgres import AWAY, connect
from registry.catalog import catalog
from runtime import beginning, committing, draining, recording, recovery
from runtime.draining import Engine, Options, run_until_idle
from runtime.models import Execution, ExecutionBatch, StepExecution
from triggers import dispatch
from triggers.models import InboxEntry
from triggers.tests.test_dispatch import arrive

pytestmark = pytest.mark.django_db(transaction=True)

MAIL = {"kind": "action", "action_key": "email_send", "cfg": {"template": "welcome"}}
EVENT = {"email": "ada@example.com", "name": "Ada"}


@contextmanager
def own_engine(**options):
    given = {"take": dispatch.take, "catalog": catalog(), "lease_s": 30.0, **options}
    engine = Engine(Options(connect=lambda: connect("test engine"), **given))
    try:
        yield engine
    finally:
        engine.close()


@contextmanager
def dead_engine():
    """An engine that takes what waits and then does nothing more, as one that was killed."""
    engine = Engine(Options(connect=lambda: connect("dead engine"), take=dispatch.take))
    try:
        yield engine, engine._take_new(engine._connected())
    finally:
        engine.held.clear()
        engine.close()


def test_a_pure_run_costs_two_commits_and_one_write_of_its_row(make_workflow):
    workflow = make_workflow("manual", settings={"business_key": "{{ event.email }}"})
    event_id = arrive(workflow, EVENT, request={"method": "POST"})
    with own_engine() as engine:
        count = count_transactions(engine)

        engine.once()

        assert len(count) == 2
    execution = Execution.objects.get()
    assert execution.status == "SUCCESS"
    assert execution.subscription_id is not None
    assert execution.id == ids.execution_id(event_id, execution.subscription_id)
    assert (execution.trigger_event_id, execution.business_key) == (event_id, EVENT["email"])
    assert (execution.context_data, execution.request_data) == (EVENT, {"method": "POST"})
    assert (execution.fence, execution.trigger_key, execution.trigger_type) == (1,) + (
        "manual",
    ) * 2
    assert execution.claimed_at is not None
    assert execution.ended_at is not None
    assert execution.created_at <= execution.claimed_at <= execution.ended_at
    assert StepExecution.objects.get().result_data == {"who": execution.claimed_at.isoformat()}
    assert not InboxEntry.objects.exists()
    assert not ExecutionBatch.objects.exists()


def test_the_trace_is_committed_before_any_step_runs(make_workflow):
    event_id = arrive(make_workflow("manual"))
    with dead_engine() as (engine, taken):
        (batch,) = ExecutionBatch.objects.all()

        assert taken.batch.id == batch.pk
    assert (batch.event_ids, batch.worker_id) == ([event_id], engine.worker_id)
    assert batch.lease_until > clock.now()
    assert not InboxEntry.objects.exists()
    assert not Execution.objects.exists()


def test_a_run_with_an_effect_has_its_intent_in_its_first_row(make_workflow, monkeypatch):
    workflow, seen = make_workflow("manual", steps=[MAIL]), []
    arrive(workflow, EVENT)
    monkeypatch.setattr("runtime.effects.mail_building.check", lambda *_: seen.append(row_now()))
    with own_engine() as engine:
        run_until_idle(engine)

    assert seen == [("RUNNING", 1, engine.worker_id, 1)]
    assert Execution.objects.get().status == "SUCCESS"


def test_what_a_dead_process_began_is_claimed_again_with_the_same_now(make_workflow):
    arrive(make_workflow("manual"), EVENT)
    with dead_engine() as (engine, _):
        claimed_at = ExecutionBatch.objects.get().claimed_at

        reaped = recovery.release_worker(engine.worker_id)

    assert reaped.handed_on == 1
    execution = Execution.objects.get()
    assert (execution.status, execution.crash_count, execution.fence) == ("PENDING", 1, 1)
    assert (execution.claimed_at, execution.context_data) == (claimed_at, EVENT)
    with own_engine() as engine:
        run_until_idle(engine)
    execution.refresh_from_db()
    assert (execution.status, execution.claimed_at) == ("SUCCESS", claimed_at)


def test_an_expired_trace_is_reaped_and_its_holder_can_record_nothing(make_workflow):
    arrive(make_workflow("manual"))
    with own_engine() as engine:
        engine._take_new(engine._connected())
        ExecutionBatch.objects.update(lease_until=clock.now())

        assert recovery.reap().handed_on == 1
        engine._record_all(engine._connected())

        assert not engine.held
    assert Execution.objects.get().status == "PENDING"
    assert not StepExecution.objects.exists()


def test_a_heartbeat_extends_the_lease_of_a_trace(make_workflow):
    arrive(make_workflow("manual"))
    with own_engine(lease_s=60.0) as engine, connect("beat") as beating:
        engine._take_new(engine._connected())
        ExecutionBatch.objects.update(lease_until=clock.now())
        (run,) = engine.held.values()
        run.leased_at = 0.0

        engine.leases.beat(beating)

        assert engine.leases.is_sure(run)
        assert ExecutionBatch.objects.get().lease_until > clock.now()


@pytest.mark.parametrize("steps", [[MAIL], [MAIL, MAIL]], ids=["one", "two"])
def test_a_first_commit_whose_answer_was_lost_is_not_made_twice(make_workflow, monkeypatch, steps):
    arrive(make_workflow("manual", steps=steps), EVENT)
    sent = []
    monkeypatch.setattr("runtime.effects.mail_building.check", lambda *_: sent.append(True))
    real = committing.commit
    lost: list[bool] = []

    def commit(link, runs, **options):
        said = real(link, runs, **options)
        if not lost:
            lost.append(True)
            raise OperationalError("server closed the connection unexpectedly")
        return said

    monkeypatch.setattr(draining, "commit", commit)
    with own_engine() as engine:
        work_through(engine)

    execution = Execution.objects.get()
    assert (execution.status, execution.crash_count, execution.fence) == ("SUCCESS", 0, 1)
    assert len(sent) == len(steps) == StepExecution.objects.count()


def test_a_take_whose_answer_was_lost_is_given_back_and_is_no_crash(make_workflow):
    arrive(make_workflow("manual"))
    lost = [True]

    def take(link, terms):
        taken = dispatch.take(link, terms)
        if lost.pop() if lost else False:
            raise OperationalError("server closed the connection unexpectedly")
        return taken

    with own_engine(take=take) as engine:
        work_through(engine)

    execution = Execution.objects.get()
    assert (execution.status, execution.crash_count) == ("SUCCESS", 0)


def test_one_that_cannot_be_recorded_does_not_take_its_batch_along(make_workflow, monkeypatch):
    bad = arrive(make_workflow("manual"))
    good = arrive(make_workflow("manual", name="Other"))
    real = recording.record

    def record(link, runs, **options):
        if any(run.claimed.start.event_id == bad for run in runs):
            raise ValueError("cannot be recorded")
        return real(link, runs, **options)

    monkeypatch.setattr(recording, "record", record)
    with own_engine() as engine:
        engine.once()

    found = {row.trigger_event_id: row for row in Execution.objects.all()}
    assert found[good].status == "SUCCESS"
    assert (found[bad].status, found[bad].crash_count) == ("PENDING", 1)
    assert not ExecutionBatch.objects.exists()


@pytest.mark.parametrize(("fate", "crashes"), [("broken", 1), ("late", 0)])
def test_one_that_cannot_be_begun_is_handed_back_alone(make_workflow, monkeypatch, fate, crashes):
    bad = arrive(make_workflow("manual"))
    arrive(make_workflow("manual", name="Other"))
    real = beginning.begin

    def begin(link, claimed, **options):
        begun = real(link, claimed, **options)
        left = [row for row in claimed if row.start and row.start.event_id == bad]
        begun.runs = [run for run in begun.runs if run.claimed not in left]
        setattr(begun, fate, left)
        return begun

    monkeypatch.setattr(draining, "begin", begin)
    with own_engine() as engine:
        engine.once()

    statuses = dict(Execution.objects.values_list("status", "crash_count"))
    assert statuses == {"SUCCESS": 0, "PENDING": crashes}


def test_a_stopping_process_gives_back_what_it_took(make_workflow):
    arrive(make_workflow("manual"))
    with own_engine() as engine:
        engine._take_new(engine._connected())

    execution = Execution.objects.get()
    assert (execution.status, execution.crash_count) == ("PENDING", 0)


def test_a_replay_waits_for_its_turn(make_workflow):
    workflow = make_workflow("manual")
    arrive(workflow, replay=2)
    arrive(workflow)
    with dead_engine() as (_, taken):
        assert (taken.moved, taken.has_pending) == (2, True)
        assert len(taken.batch.claimed) == 1

    assert Execution.objects.get(replay=2).status == "PENDING"


@pytest.mark.parametrize(
    "settings",
    [
        {"concurrency": {"key": "{{ event.email }}", "limit": 1}},
        {"debounce": {"key": "{{ event.email }}", "for": {"value": 1, "unit": "minutes"}}},
        {"priority": 5},
    ],
    ids=["concurrency", "debounce", "priority"],
)
def test_what_its_settings_may_hold_back_waits_for_its_turn(make_workflow, monkeypatch, settings):
    monkeypatch.setattr("workflows.publishing.refuse_errors", lambda problems: None)
    arrive(make_workflow("manual", settings=settings), EVENT)
    with dead_engine() as (_, taken):
        assert taken.batch is None


def test_without_room_everything_waits_for_its_turn(make_workflow):
    arrive(make_workflow("manual"))
    with own_engine(most_held=0) as engine:
        engine._take_new(engine._connected())

    assert Execution.objects.get().status == "PENDING"
    assert not ExecutionBatch.objects.exists()


def row_now():
    with connect("look") as link:
        return link.execute(
            "SELECT status, fence, worker_id, jsonb_array_length(pending) FROM workflow_execution"
        ).fetchone()


def work_through(engine):
    for _ in range(20):
        try:
            run_until_idle(engine)
        except AWAY:
            engine._disconnect()
        else:
            return
    raise AssertionError("It never became idle.")


def count_transactions(engine):
    """Return a list that grows with every transaction of the engine; its queue is left alone."""
    seen = []
    link = engine._connected()

    class Watched:
        def __getattr__(self, name):
            return getattr(link, name)

        def transaction(self):
            seen.append(True)
            return link.transaction()

    watched = Watched()
    engine._connected = lambda: watched
    engine._claim_at = float("inf")
    return seen
