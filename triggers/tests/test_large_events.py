from __future__ import annotations

import json

import pytest

from leadsend.lib import objects
from leadsend.lib.errors import Unavailable
from leadsend.lib.input_guard import MAX_BYTES
from leadsend.lib.payloads import INLINE_LIMIT, Reference
from leadsend.testing.dispatching import dispatch_all
from runtime import payloads
from runtime.models import Execution
from triggers.models import InboxEntry, TriggerEvent
from triggers.tests.conftest import as_body
from triggers.tests.serving import ask, ask_all
from triggers.tests.test_dispatch import arrive, fate_of

pytestmark = pytest.mark.django_db(transaction=True)

HOOK = "/hooks/token-1"
HOT = {"all": [{"left": "{{ event.score }}", "op": "gt", "right": 50}]}


@pytest.fixture(autouse=True)
def _nothing_known():
    payloads.forget()
    yield
    payloads.forget()


@pytest.fixture
def away(monkeypatch):
    def refused(*given):
        raise Unavailable("The storage is away.")

    with monkeypatch.context() as patched:
        patched.setattr(objects, "put", refused)
        patched.setattr(objects, "get", refused)
        yield patched


def json_of(size):
    """Return a JSON object of exactly so many bytes."""
    body = as_body({"note": ""}).replace(b" ", b"")
    return body[:-2] + b"x" * (size - len(body)) + b'"}'


def shown(event_id):
    event = TriggerEvent.objects.get(pk=event_id)
    return event, payloads.whole(event.data, project_id=event.project_id)


@pytest.mark.parametrize("size", [INLINE_LIMIT - 1, INLINE_LIMIT, INLINE_LIMIT + 1])
def test_an_event_at_the_edge_reads_back_byte_by_byte(make_endpoint, size):
    make_endpoint(mode="none")
    body = json_of(size)

    reply = ask(HOOK, body=body)

    event, data = shown(reply.body["event_id"])
    assert reply.status == 202
    assert json.dumps(data, separators=(",", ":")).encode() == body
    assert isinstance(event.data, Reference) == (size > INLINE_LIMIT)


def test_ten_mebibytes_are_accepted_and_one_byte_more_is_not(make_endpoint):
    make_endpoint(mode="none")

    replies = ask_all(
        [(HOOK, "POST", json_of(size), {}, b"", None) for size in (MAX_BYTES, MAX_BYTES + 1)]
    )

    assert [reply.status for reply in replies] == [202, 413]
    event, data = shown(replies[0].body["event_id"])
    assert event.data.size_bytes == MAX_BYTES
    assert len(data["note"]) == MAX_BYTES - len('{"note":""}')


def test_what_grows_large_by_being_written_as_json_is_noticed(make_endpoint):
    make_endpoint(mode="none")

    reply = ask(HOOK, body=b"\x01" * 50_000, headers={"content-type": "text/plain"})

    event, data = shown(reply.body["event_id"])
    assert isinstance(event.data, Reference)
    assert data == {"body": "\x01" * 50_000}


def test_a_body_that_names_a_payload_stays_text(make_endpoint):
    make_endpoint(mode="none")
    forged = {"$payload": {"day": "2026-11-25", "sha256": "0" * 64, "bytes": 7}}

    reply = ask(HOOK, body=as_body(forged))

    assert shown(reply.body["event_id"])[0].data == forged
    assert dispatch_all() == 1


def test_a_large_event_is_refused_while_the_storage_is_away(make_endpoint, away):
    make_endpoint(mode="none")

    large, small = ask_all(
        [(HOOK, "POST", body, {}, b"", None) for body in (json_of(300_000), as_body({"n": 1}))]
    )

    assert (large.status, small.status) == (503, 202)
    assert "retry-after" in large.headers
    assert TriggerEvent.objects.count() == 1


def test_filters_look_into_large_events(make_workflow):
    hot = make_workflow({"trigger_key": "manual", "filter_conditions": HOT})
    large = {"score": 60, "note": "x" * 300_000}

    arrive(hot, large)
    cold = arrive(hot, {**large, "score": 40})

    assert dispatch_all() == 2
    [run] = Execution.objects.all()
    assert isinstance(run.context_data, Reference)
    assert fate_of(cold)["code"] == "filtered_out"


def test_a_large_event_waits_in_the_inbox_until_the_storage_is_back(make_workflow, monkeypatch):
    workflow = make_workflow("manual")
    arrive(workflow, {"note": "x" * 300_000})
    payloads.forget()
    with monkeypatch.context() as patched:

        def refused(*given):
            raise Unavailable("The storage is away.")

        patched.setattr(objects, "get", refused)
        arrive(workflow, {"note": "small"})
        assert dispatch_all() == 1
    assert InboxEntry.objects.count() == 1
    payloads.forget()

    assert dispatch_all() == 1
    assert Execution.objects.count() == 2


def test_an_event_whose_object_is_gone_keeps_that_as_its_fate(make_workflow):
    workflow = make_workflow("manual")
    event_id = arrive(workflow, {"note": "x" * 300_000})
    event = TriggerEvent.objects.get(pk=event_id)
    objects.delete(payloads.key_of(event.data, event.project_id))
    payloads.forget()

    assert dispatch_all() == 1
    assert "lies in the object storage" in fate_of(event_id)["reason"]
