"""Eight connections fight over one execution; of each prize there is one winner."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection

from leadsend.access.models import AuditEntry
from leadsend.lib import clock, ids
from leadsend.lib.errors import Conflict
from runtime import claiming, executions, recovery
from runtime.models import FINAL_EXECUTION, Execution

# The long form of the same fight.
ROUNDS = 1000 if os.environ.get("LEADSEND_TRUST_FULL") == "1" else 50
THREADS = 8
PENDING = [{"step": "first", "item": None, "attempt": 1}]
# What recording says of a finish, in its shortest form: the fence decides.
COMPLETE = """UPDATE workflow_execution SET status = 'SUCCESS', ended_at = now(), lease_until = NULL
               WHERE id = %s AND fence = %s AND status = 'RUNNING'"""


@pytest.fixture
def at_once(transactional_db):
    """Runs eight acts at the same moment, each on a connection of its own."""
    barrier = Barrier(THREADS)

    def start(act):
        barrier.wait(30)
        return act()

    with ThreadPoolExecutor(THREADS) as threads:
        yield lambda acts: list(threads.map(start, acts))
        list(threads.map(start, [hang_up] * THREADS))


def hang_up():
    connection.close()  # the connection of the thread that runs this


def claim():
    connection.ensure_connection()
    return claiming.claim(connection.connection, worker_id=ids.uuid7(), lease_s=60, limit=1)


def complete(run, fence):
    def act():
        with connection.cursor() as cursor:
            cursor.execute(COMPLETE, [run.pk, fence])
            return cursor.rowcount

    return act


def cancel(run, user):
    def act():
        try:
            executions.cancel(run, user=user)
        except Conflict:
            return 0
        return 0

    return act


def test_of_many_that_claim_complete_cancel_and_reap_one_wins_each(at_once, make, ana, outside):
    for number in range(ROUNDS):
        run = make("PENDING")

        claimed = [one for found in at_once([claim] * THREADS) for one in found]

        assert [one.id for one in claimed] == [run.pk]
        expired = clock.now() - timedelta(seconds=1)
        # Half of them with an effect in flight, of which a cancel is a wish only.
        pending = PENDING if number % 2 else None
        Execution.objects.filter(pk=run.pk).update(lease_until=expired, pending=pending)
        fence = claimed[0].fence
        worker = Execution.objects.get(pk=run.pk).worker_id
        left = at_once(
            [
                complete(run, fence),
                cancel(run, ana),
                lambda: recovery.reap().handed_on,
                complete(run, fence),
                lambda worker=worker: recovery.release_worker(worker).handed_on,
                complete(run, fence - 1),
                cancel(run, ana),
                complete(run, fence),
            ]
        )

        run.refresh_from_db()
        entries = AuditEntry.objects.filter(object_id=str(run.pk))
        acts = list(entries.values_list("act", flat=True))
        cut_short = entries.filter(act="execution.cancel", detail__was="RUNNING").exists()
        # It left RUNNING once: completed, handed on, cancelled, or by a reaper that saw the wish.
        ends = sum(left) + acts.count("execution.cancelled") + (cut_short and pending is None)
        assert ends == 1
        assert acts.count("execution.cancel") <= 1
        assert (left[0] + left[3] + left[7] == 1) == (run.status == "SUCCESS")
        assert left[5] == 0
        assert (run.ended_at is not None) == (run.status in FINAL_EXECUTION)
        Execution.objects.filter(pk=run.pk).delete()


def steer(act, run, user):
    def wish():
        try:
            return act(run, user=user).status
        except Conflict as refused:
            return refused.code

    return wish


def test_of_many_that_steer_while_an_engine_works_the_end_is_one_and_stays(
    at_once, make, ana, outside
):
    for number in range(12):
        run = make("RUNNING", fence=3, pending=PENDING if number % 2 else None)

        said = at_once(
            [
                steer(executions.pause, run, ana),
                steer(executions.resume, run, ana),
                steer(executions.cancel, run, ana),
                steer(executions.cancel, run, ana),
                complete(run, 3),
                steer(executions.pause, run, ana),
                steer(executions.resume, run, ana),
                lambda: recovery.reap().total,
            ]
        )

        run.refresh_from_db()
        # Who hears that it is cancelled, or done, hears the truth; a wish may come too late.
        assert {said[2], said[3]} <= {"CANCELLED", "RUNNING", "finished"}
        assert (said[2] == "CANCELLED") == (said[3] == "CANCELLED") == (run.status == "CANCELLED")
        assert (run.status == "SUCCESS") == (said[4] == 1)
        entries = AuditEntry.objects.filter(object_id=str(run.pk), act="execution.cancel")
        assert entries.count() == ({said[2], said[3]} != {"finished"})


def test_of_many_that_retry_all_get_the_same_new_run(at_once, make, ana, outside):
    for _ in range(5):
        failed = make("FAILED")

        begun = at_once([lambda failed=failed: executions.retry(failed, user=ana)] * THREADS)

        assert len({run.pk for run in begun}) == 1
        assert Execution.objects.filter(retry_of=failed.pk).count() == 1


def test_of_many_that_decide_one_decision_stands(at_once, make, ana, outside):
    for _ in range(5):
        row = make.step(make("WAITING"), "second", "UNCERTAIN")

        def decide(decision, row=row):
            try:
                return executions.decide_uncertain(row, decision, "Looked.", ana).status
            except Conflict:
                return None

        wishes = ["done", "failed", "run_again", "done"] * 2
        said = at_once([lambda wish=wish: decide(wish) for wish in wishes])

        row.refresh_from_db()
        assert {status for status in said if status} == {row.status}
        assert AuditEntry.objects.filter(object_id=str(row.execution_id)).count() == 1
