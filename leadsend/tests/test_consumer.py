from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from celery.bootsteps import CLOSE, RUN  # type: ignore[attr-defined] # missing in the stubs
from celery.exceptions import WorkerShutdown
from celery.worker.consumer import Consumer

from leadsend import consumer
from leadsend.consumer import PatientConsumer


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A consumer whose connection cannot even be closed; ``falls`` is what its starts raise."""
    made: Any = PatientConsumer.__new__(PatientConsumer)
    made.blueprint = Mock(state=RUN)
    made.connection = Mock(close=Mock(side_effect=AttributeError("client")))
    made.on_close = Mock()
    made._cancel_connection_timer_entries = Mock()
    made.falls = []

    def start(self: Any) -> None:
        if self.falls:
            raise self.falls.pop()
        self.blueprint.state = CLOSE

    monkeypatch.setattr(Consumer, "start", start)
    monkeypatch.setattr(consumer, "PAUSE_S", 0.0)
    return made


def test_no_error_of_the_broker_ends_the_worker(patient):
    patient.falls = [AttributeError("hostname"), RuntimeError("OOM command not allowed")]

    patient.start()

    assert not patient.falls
    assert patient.connection is None
    assert patient.blueprint.restart.call_count == 2


def test_the_worker_still_ends_when_it_is_told_to(patient):
    patient.falls = [WorkerShutdown(0)]

    with pytest.raises(WorkerShutdown):
        patient.start()
