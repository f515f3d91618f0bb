from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from leadsend.lib import clock
from runtime import spans
from runtime.recording import Recorded
from runtime.spans import Narrator, tellers


def test_nothing_is_told_where_traces_are_off(settings):
    settings.LEADSEND_TRACES = False

    assert tellers() == []


def test_traces_without_their_packages_stop_the_start_with_a_sentence(settings, monkeypatch):
    settings.LEADSEND_TRACES = True
    monkeypatch.setattr(spans, "_OTLP", "opentelemetry_is_not_here.Exporter")

    with pytest.raises(ImproperlyConfigured, match=r"install leadsend\[otel\]"):
        tellers()


class Processor:
    def __init__(self):
        self.spans = []

    def on_end(self, span):
        self.spans.append(span)


@pytest.mark.django_db
def test_an_ended_execution_is_a_trace_and_telling_it_twice_tells_the_same(make):
    pytest.importorskip("opentelemetry.sdk.trace")
    now = clock.now()
    error = {"code": "http_500", "message": "The other side said no.", "step_id": "second"}
    run = make("FAILED", ended_at=now, error=error)
    done = make.step(run, "first", started_at=now, ended_at=now)
    make.step(run, "second", "FAILED", started_at=now, ended_at=now, error=error)
    make.step(run, "third", "SKIPPED", started_at=now)
    processor = Processor()

    for _ in range(2):
        Narrator(processor).narrate(run.pk)

    half = len(processor.spans) // 2
    told = [(span.context.trace_id, span.context.span_id) for span in processor.spans]
    assert told[:half] == told[half:]
    root, first, second = processor.spans[:half]
    assert root.context.trace_id == run.pk.int
    assert first.context.span_id == done.pk.int & (2**64 - 1)
    assert {first.parent.span_id, second.parent.span_id} == {root.context.span_id}
    assert (root.status.status_code.name, first.status.status_code.name) == ("ERROR", "OK")
    assert second.attributes["error.type"] == "http_500"
    assert root.end_time == int(now.timestamp() * 1_000_000) * 1000


@pytest.mark.django_db
def test_only_what_ended_is_told(make, monkeypatch):
    told = []
    narrator = Narrator(Processor())
    monkeypatch.setattr(narrator, "_run", lambda: None)
    run = make("RUNNING")

    for status in ("RUNNING", "SUCCESS"):
        said = Recorded(
            execution_id=run.pk,
            workflow_id=run.workflow_id,
            project_id=run.project_id,
            status=status,
            step_ids=(),
            is_started=False,
        )
        narrator.tell([said])
        told.append(narrator._waiting.qsize())

    assert told == [0, 1]
