"""Engines, cancels and deaths on connections of their own: turns stay single, in order, moving."""

from __future__ import annotations

import itertools
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from leadsend.lib import ids, postgres
from leadsend.lib.errors import Conflict
from runtime import claiming, executions, recovery, turns
from runtime.draining import Engine, Options
from runtime.models import FINAL_EXECUTION, ConcurrencyTurn, Execution
from triggers.dispatch import dispatch_batch, take
from triggers.tests.test_dispatch import arrive

pytestmark = pytest.mark.usefixtures("ids_in_order")

KEYS = ("ada", "bob", "eve")


@pytest.fixture
def workflow(transactional_db, make_workflow):
    rule = {"key": "{{ event.who }}"}
    return make_workflow("manual", settings={"concurrency": rule})


@pytest.fixture(autouse=True)
def no_bell(monkeypatch):
    monkeypatch.setattr("runtime.queueing.ring", lambda: None)
    monkeypatch.setattr("runtime.live.publish", lambda changes: None)


def come(workflow, count):
    for number in range(count):
        arrive(workflow, {"who": KEYS[number % len(KEYS)], "number": number})


def work_until_all_ended(stop):
    """What an engine process does, sweeps included, until all is final."""
    engine = Engine(Options(lease_s=60, take=take, batch=5))
    try:
        while not stop.is_set():
            engine.claim_soon()
            if not engine.once():
                recovery.reap()
    finally:
        engine.close()
        connection.close()


def wait_for_end(count, stop):
    never = threading.Event()
    for _ in range(600):
        if Execution.objects.filter(status__in=FINAL_EXECUTION).count() == count:
            break
        never.wait(0.05)
    stop.set()


def overlaps(most=1):
    """Return pairs of one key that ran at the same time."""
    ran = Execution.objects.exclude(started_at=None).order_by("started_at")
    found = []
    for _, rows in itertools.groupby(
        sorted(ran, key=lambda row: (row.concurrency_key, row.started_at)),
        key=lambda row: row.concurrency_key,
    ):
        for before, after in itertools.pairwise(rows):
            if after.started_at < before.ended_at:
                found.append((before, after))
    return found


def is_in_order(rows):
    numbers = [row.context_data["number"] for row in rows]
    return numbers == sorted(numbers)


def test_with_many_engines_one_of_a_key_runs_at_a_time_in_the_order_of_arrival(workflow):
    stop = threading.Event()
    come(workflow, 30)

    with ThreadPoolExecutor(3) as threads:
        working = [threads.submit(work_until_all_ended, stop) for _ in range(3)]
        wait_for_end(30, stop)
        for one in working:
            one.result()

    assert Execution.objects.filter(status="SUCCESS").count() == 30
    assert not overlaps()
    for key in KEYS:
        rows = Execution.objects.filter(concurrency_key=key).order_by("started_at")
        assert is_in_order(list(rows))
    turns.forget_ended()
    assert not ConcurrencyTurn.objects.exists()


def test_cancels_and_deaths_in_between_leave_nobody_stuck(workflow, dev):
    stop = threading.Event()
    chance = random.Random(7)  # noqa: S311 - a test's dice
    come(workflow, 24)

    def disturb():
        try:
            while not stop.is_set():
                unfinished = list(Execution.objects.unfinished().order_by("id")[:20])
                for run in chance.sample(unfinished, min(2, len(unfinished))):
                    cancel(run, dev)
                die_after_claim()
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as threads:
        working = [threads.submit(work_until_all_ended, stop) for _ in range(2)]
        working.append(threads.submit(disturb))
        wait_for_end(24, stop)
        for one in working:
            one.result()

    assert Execution.objects.count() == 24
    assert not Execution.objects.unfinished().exists()
    assert not overlaps()


def cancel(run, user):
    try:
        executions.cancel(run, user=user)
    except Conflict:
        return


def die_after_claim():
    """Claim as a process that is killed at once: its host gives back what it held."""
    worker = ids.uuid7()
    with postgres.connect("dying") as raw:
        claiming.claim(raw, worker_id=worker, lease_s=60, limit=2)
    recovery.release_worker(worker)


@pytest.mark.parametrize("boundary", ["end committed", "before the commit"])
def test_a_kill_beside_the_end_leaves_the_next_one_to_the_sweep(workflow, boundary):
    come(workflow, 4)  # two of the first key
    with postgres.connect("dying") as raw:
        dispatch_batch(raw)
        claimed = claiming.claim(raw, worker_id=ids.uuid7(), lease_s=60, limit=10)
        first = next(row for row in claimed if row.event["number"] == 0)
        end = "UPDATE workflow_execution SET status = 'SUCCESS', ended_at = now() WHERE id = %s"
        if boundary == "end committed":
            raw.execute(end, [first.id])  # its holder dies before it passes the turn on
        else:
            with raw.transaction(force_rollback=True):
                turns.lock_keys(raw, [(first.workflow_id, "ada")])
                raw.execute(end, [first.id])
                assert turns.pass_on(raw, [(first.workflow_id, "ada")]) == 1

    begun = turns.sweep()

    assert begun == (1 if boundary == "end committed" else 0)
    next_one = Execution.objects.get(context_data__number=3)
    assert next_one.status == ("PENDING" if begun else "WAITING")


def test_dispatchers_beside_each_other_keep_the_order_of_arrival(workflow):
    """The second one waits for the first, which holds the older event, before it looks at keys."""
    come(workflow, 1)
    with (
        postgres.connect("first") as first,
        postgres.connect("second") as second,
        ThreadPoolExecutor(1) as threads,
    ):
        with first.transaction():
            first.execute("SELECT 1 FROM trigger_inbox FOR UPDATE")
            arrive(workflow, {"who": "ada", "number": 9})
            later = threads.submit(dispatch_batch, second)
            assert waits(later)
            assert dispatch_batch(first, 1) == 1
        later.result(30)

    rows = Execution.objects.order_by("id")
    assert [(row.context_data["number"], row.status) for row in rows] == [
        (0, "PENDING"),
        (9, "WAITING"),
    ]


def waits(future):
    """Say whether the other connection waits for a lock."""
    sql = """SELECT count(*) FROM pg_stat_activity
              WHERE application_name = 'second' AND wait_event_type = 'Lock'"""
    for _ in range(1000):
        if future.done():
            return False
        with connection.cursor() as cursor:
            cursor.execute(sql)
            if cursor.fetchone()[0]:
                return True
    return False
