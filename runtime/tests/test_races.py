"""Eight connections fight over one execution; of each prize there is one winner."""

from __future__ import annotations

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

ROUNDS = 50
THREADS = 8
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
    for _ in range(ROUNDS):
        run = make("PENDING")

        claimed = [one for found in at_once([claim] * THREADS) for one in found]

        assert [one.id for one in claimed] == [run.pk]
        expired = clock.now() - timedelta(seconds=1)
        Execution.objects.filter(pk=run.pk).update(lease_until=expired)
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
        # It left RUNNING once: completed, handed on, or cancelled by a reaper that saw the wish.
        assert sum(left) + acts.count("execution.cancelled") == 1
        assert acts.count("execution.cancel") <= 1
        assert (left[0] + left[3] + left[7] == 1) == (run.status == "SUCCESS")
        assert left[5] == 0
        assert (run.ended_at is not None) == (run.status in FINAL_EXECUTION)
        Execution.objects.filter(pk=run.pk).delete()


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
                return executions.decide_uncertain(row, decision, "", ana).status
            except Conflict:
                return None

        wishes = ["done", "failed", "run_again", "done"] * 2
        said = at_once([lambda wish=wish: decide(wish) for wish in wishes])

        row.refresh_from_db()
        assert {status for status in said if status} == {row.status}
        assert AuditEntry.objects.filter(object_id=str(row.execution_id)).count() == 1
