"""A process that loses the exception of its signal handler, as Celery's beat does, ends all the same."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from celery.signals import beat_init

from leadsend.celery import app

STUBBORN = """
import signal, time
from leadsend.ending import end_for_sure

def leave(*_):
    raise SystemExit(3)

signal.signal(signal.SIGTERM, leave)
end_for_sure(grace_s=0.3)
while True:
    try:
        print("ready", flush=True)
        time.sleep(10)
    except SystemExit:
        {then}
"""


def ended(then):
    program = [sys.executable, "-c", STUBBORN.format(then=then)]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout=20)


def test_a_process_that_loses_its_exit_ends_after_the_grace():
    assert ended("pass") == 0


def test_a_process_that_ends_by_itself_is_not_held_up():
    assert ended("raise") == 3


@pytest.fixture
def handlers():
    """Put the handlers of the test's own process back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


def test_beat_is_guarded_once_it_begins(handlers):
    assert app.main == "leadsend"

    beat_init.send(sender=None)

    assert signal.getsignal(signal.SIGTERM) is not handlers[signal.SIGTERM]
