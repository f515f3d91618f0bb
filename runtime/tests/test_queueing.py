from __future__ import annotations

import threading

import psycopg
import pytest
from celery import Celery
from django.db import transaction

from leadsend.celery import app
from runtime import jobs, queueing
from runtime.queueing import PAUSE_AFTER_FAILURE_S, PAUSE_S, Bell, WakeSender


class BrokerAway(Exception):
    pass


def bell(send):
    return Bell(send, lambda: (BrokerAway,))


def test_many_rings_are_one_wake_up():
    sent, first, second = [], threading.Event(), threading.Event()
    held = threading.Event()

    def send():
        sent.append(1)
        (second if len(sent) == 2 else first).set()
        held.wait(10)

    rung = Bell(send, lambda: (BrokerAway,), sleep=lambda _s: None)
    rung.ring()
    assert first.wait(10)
    for _ in range(100):
        rung.ring()
    held.set()

    assert second.wait(10)
    assert len(sent) == 2


def test_after_a_failure_nothing_is_sent_for_a_second():
    def send():
        raise BrokerAway

    assert bell(send).send_asked() == PAUSE_AFTER_FAILURE_S
    assert bell(lambda: None).send_asked() == PAUSE_S


def test_an_error_of_our_own_is_not_taken_for_a_broker_that_is_away():
    def send():
        raise TypeError

    with pytest.raises(TypeError):
        bell(send).send_asked()


def test_a_redis_that_is_away_is_a_failure_that_ringing_survives():
    away = WakeSender(Celery("away", broker="redis://127.0.0.1:1/0", set_as_current=False))
    rung = Bell(away.send, away.failures)

    assert rung.send_asked() == PAUSE_AFTER_FAILURE_S
    assert rung.send_asked() == PAUSE_AFTER_FAILURE_S


def test_a_postgres_without_queues_is_a_failure_that_ringing_survives():
    def send():
        raise psycopg.errors.InvalidSchemaName

    rung = Bell(send, WakeSender(app).failures)

    assert rung.send_asked() == PAUSE_AFTER_FAILURE_S


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bell_whose_thread_died_rings_again():
    sent = threading.Event()

    def fail():
        raise TypeError

    rung = bell(fail)
    rung.ring()
    rung._thread.join(10)
    rung._send = sent.set
    rung.ring()

    assert sent.wait(10)


def test_a_wake_up_arrives_at_the_broker():
    there = Celery("there", broker="memory://", set_as_current=False)
    there.conf.task_default_queue = "wake-test"
    WakeSender(there).send()

    with there.connection_for_read() as connection, connection.SimpleQueue("wake-test") as queue:
        message = queue.get(timeout=5)
        message.ack()
    assert message.headers["task"] == queueing.WAKE_JOB


def test_the_message_names_the_job_that_the_worker_knows():
    app.loader.import_default_modules()

    assert queueing.WAKE_JOB in app.tasks
    assert {"runtime.jobs.reap", "runtime.jobs.prune"} <= set(app.tasks)


@pytest.mark.django_db(transaction=True)
def test_a_ring_waits_for_the_commit(monkeypatch):
    rings = []
    monkeypatch.setattr(queueing._bell, "ring", lambda: rings.append(1))

    with transaction.atomic():
        queueing.ring()
        assert rings == []
    assert rings == [1]
    with transaction.atomic():
        queueing.ring()
        transaction.set_rollback(True)
    assert rings == [1]


def test_the_wake_job_rings_the_engines_of_its_process():
    rings = []
    queueing.engines.connect(lambda: rings.append(1))
    jobs.wake()
    queueing.engines.connect(None)
    jobs.wake()

    assert rings == [1]
