"""What only real commits show: own connections, lost ones, several engines at once."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from contextlib import contextmanager

import pytest
from psycopg import OperationalError

from leadsend.access.models import Team
from leadsend.lib.postgres import AWAY, connect
from registry.catalog import catalog
from runtime import claiming, committing, draining, recording
from runtime.beginning import begin
from runtime.claiming import Crashes
from runtime.draining import Engine, Options, run_until_idle
from runtime.engine.tests.making import act
from runtime.models import Execution, OutboxMail, Task, Worker
from runtime.tests.driving import World, fresh, project, publish, start, steps_of

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def own_engine(world=None, **options):
    options = {"catalog": world or World(), "lease_s": 30.0, **options}
    engine = Engine(Options(connect=lambda: connect("test engine"), **options))
    try:
        yield engine
    finally:
        engine.close()


@pytest.fixture
def other():
    """A second connection, which sees only what is committed."""
    with connect("test other") as connection:
        yield connection


def test_the_intent_is_committed_before_the_effect_begins(other):
    world, seen = World(), []
    sql = "SELECT status, pending->0->>'step' FROM workflow_execution WHERE lease_until > now()"
    world.answers["send"] = lambda ctx, inputs: seen.append(other.execute(sql).fetchone())
    start(publish(act("s", "send")))

    with own_engine(world) as engine:
        run_until_idle(engine)

    assert seen == [("RUNNING", "s")]


def test_a_batch_of_pure_runs_costs_two_commits():
    workflow = publish(*[act(f"s{number}") for number in range(10)])
    for _ in range(50):
        start(workflow)
    with own_engine() as engine:
        wrote = count_transactions(engine)

        engine.once()

        assert wrote == ["claim", "record"]
    assert Execution.objects.filter(status="SUCCESS").count() == 50


def test_a_lost_connection_loses_and_doubles_nothing(monkeypatch):
    """The server cuts the connection in the middle of the recording, after a task was made."""
    workflow = overview()
    execution = start(workflow, {"email": "ada@example.org", "name": "Ada"})
    real = recording.record
    cut: list[bool] = []

    def record(connection, runs, **options):
        said = real(connection, runs, **options)
        if Task.objects.using("default").count() == 0 and runs[0].finish and not cut:
            cut.append(terminate(connection))
        return said

    monkeypatch.setattr(recording, "record", record)
    with own_engine(catalog=installed()) as engine:
        work_through(engine)

    assert cut
    assert fresh(execution).status == "SUCCESS"
    assert (Task.objects.count(), OutboxMail.objects.count()) == (1, 1)


def test_a_commit_whose_answer_was_lost_is_not_made_twice(monkeypatch):
    execution = start(overview(), {"email": "ada@example.org", "name": "Ada"})
    lost = lose_answers(monkeypatch)
    with own_engine(catalog=installed()) as engine:
        work_through(engine)

    assert lost
    assert fresh(execution).status == "SUCCESS"
    assert (Task.objects.count(), OutboxMail.objects.count()) == (1, 1)
    assert [len(rows) for rows in steps_of(execution).values()] == [1, 1]


def test_a_claim_whose_answer_was_lost_is_made_again_and_is_no_crash(monkeypatch):
    execution = start(publish(act("a")))
    real, lost = claiming.claim, [True]

    def claim(connection, **options):
        rows = real(connection, **options)
        if rows and lost:
            lost.clear()
            raise OperationalError("server closed the connection unexpectedly")
        return rows

    monkeypatch.setattr(claiming, "claim", claim)
    with own_engine() as engine:
        work_through(engine)

    found = fresh(execution)
    assert (found.status, found.fence, found.crash_count) == ("SUCCESS", 3, 0)


def test_two_engines_share_the_work_and_never_an_execution():
    workflow = publish(act("s", "send"))
    for _ in range(60):
        start(workflow)
    world = World()
    with own_engine(world, batch=7) as one, own_engine(world, batch=7) as two:
        threads = [threading.Thread(target=run_until_idle, args=[e]) for e in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    calls = Counter(ctx.execution_id for _, _, ctx in world.calls)
    assert len(calls) == 60
    assert set(calls.values()) == {1}
    assert Execution.objects.filter(status="SUCCESS").count() == 60


def test_workflows_take_turns_however_much_one_has_pending(other):
    flood, quiet = publish(act("a")), publish(act("a"))
    for _ in range(30):
        start(flood)
    start(quiet)

    rows = claiming.claim(other, worker_id=fresh_worker().pk, lease_s=30, limit=10)

    assert Counter(row.workflow_id for row in rows) == {flood.pk: 5, quiet.pk: 1}


def test_one_that_crashed_before_is_claimed_alone(other):
    workflow = publish(act("a"))
    crashed = start(workflow, fence=1, crash_count=1)
    start(workflow)
    start(workflow)

    sizes = [
        [row.id == crashed.pk for row in claiming.claim(other, **claim_options(turn))]
        for turn in range(3)
    ]

    assert sizes == [[False, False], [True], []]


def test_an_engine_is_alone_with_one_on_its_last_chance():
    world, gate = World(), threading.Event()
    world.answers["send"] = lambda ctx, inputs: asyncio.to_thread(gate.wait, 10)
    workflow = publish(act("s", "send"))
    start(workflow)
    last = start(workflow, fence=2, crash_count=2)
    with own_engine(world) as engine:
        for _ in range(5):
            engine.ring()
            engine.once()
        assert set(engine.held) == {last.pk}
        gate.set()
        engine.wait(5)
        start(workflow)

        run_until_idle(engine)

    assert fresh(last).status == "SUCCESS"
    assert Execution.objects.filter(status="SUCCESS").count() == 3


def test_a_claim_after_a_crash_keeps_the_moment_of_the_first(other):
    start(publish(act("a")))
    (first,) = claiming.claim(other, **claim_options(1))
    other.execute("UPDATE workflow_execution SET status = 'PENDING', crash_count = 1")

    (second,) = claiming.claim(other, **claim_options(2))

    assert second.claimed_at == first.claimed_at
    assert second.fence == first.fence + 1


def test_a_heartbeat_extends_what_is_held_and_finds_a_wish(other):
    execution = start(publish(act("a")))
    with own_engine(lease_s=60.0) as engine:
        claimed = claiming.claim(other, **claim_options(1) | {"worker_id": engine.worker_id})
        engine._claim = lambda connection, is_due: 0
        runs = begun(engine, other, claimed)
        engine.leases.hold(runs, since=0.0)
        other.execute("UPDATE workflow_execution SET cancel_requested_at = now()")
        assert not engine.leases.is_sure(runs[0])

        engine.leases.beat(other)

        assert engine.leases.is_sure(runs[0])
        assert engine.leases.asked_to_stop() == runs
    assert fresh(execution).lease_until is not None


def begun(engine, connection, claimed):
    found = begin(
        connection,
        claimed,
        plans=engine._plans,
        catalog=engine.options.catalog,
        clock=engine.clock.now,
    )
    return found.runs


def claim_options(turn):
    return {
        "worker_id": fresh_worker().pk,
        "lease_s": 30,
        "limit": 10,
        "crashes": Crashes(first=turn % 2 == 1),
    }


def fresh_worker():
    return Worker.objects.create(host="test", pid=1)


def installed():
    return catalog()


def overview():
    Team.objects.create(project=project(), key="sales_team", name="Sales team")
    return publish(
        {"kind": "action", "action_key": "email_send", "cfg": {"template": "welcome"}},
        {"kind": "action", "action_key": "task_create", "cfg": {"assignee": "sales_team"}},
    )


def terminate(connection):
    with connect("killer") as killer:
        killer.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
    return True


def lose_answers(monkeypatch):
    """Let every second recording commit and then break, as when the answer is lost."""
    real = committing.commit
    lost: list[bool] = []

    def commit(connection, runs, **options):
        said = real(connection, runs, **options)
        if said and len(lost) < 3 and not runs[0].is_tried_again:
            lost.append(True)
            raise OperationalError("server closed the connection unexpectedly")
        return said

    monkeypatch.setattr(draining, "commit", commit)
    return lost


def work_through(engine):
    """Make passes as the process does, beginning anew after a lost connection."""
    for _ in range(50):
        try:
            run_until_idle(engine)
        except AWAY:
            engine._disconnect()
        else:
            return
    raise AssertionError("It never became idle.")


def count_transactions(engine):
    """Return a list that grows by the name of every transaction that the engine makes."""
    seen: list[str] = []
    connection = engine._connected()

    class Watched:
        def __getattr__(self, name):
            return getattr(connection, name)

        def transaction(self):
            seen.append("claim" if not seen else "record")
            return connection.transaction()

    watched = Watched()
    engine._connected = lambda: watched
    return seen
