from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator

from leadsend.lib import clock
from leadsend.lib.input_guard import MAX_BYTES
from leadsend.testing.dispatching import dispatch_all
from runtime.models import Execution
from triggers import endpoints, group_commit, hook_server
from triggers.models import EventKey, InboxEntry, TriggerEvent, WebhookEndpoint
from triggers.tests.conftest import as_body, signed
from triggers.tests.serving import ask, ask_all
from workflows import publishing

pytestmark = pytest.mark.django_db(transaction=True)

HOOK = "/hooks/token-1"
LEAD = {"email": "ada@example.com", "score": 80}
BODY = as_body(LEAD)


@pytest.fixture
def open_endpoint(make_endpoint):
    return make_endpoint(mode="none")


def test_a_signed_post_to_a_published_address_ends_in_a_pending_execution(make_workflow):
    workflow = make_workflow("webhook")
    [told] = workflow.version.answers["webhook_endpoints"]
    path = "/hooks/" + told["url"].rpartition("/")[2]

    reply = ask(path, body=BODY, headers=signed(told["auth"]["secret"], BODY), query=b"a=1&a=2")

    assert reply.status == 202
    event: Any = TriggerEvent.objects.get(pk=reply.body["event_id"])
    assert event.data == LEAD
    assert event.request["method"] == "POST"
    assert event.request["query"] == {"a": ["1", "2"]}
    assert event.request["ip"] == "192.0.2.7"
    assert "webhook-signature" not in event.request["headers"]
    assert dispatch_all() == 1
    execution = Execution.objects.get()
    assert (execution.status, execution.context_data) == ("PENDING", LEAD)
    assert execution.trigger_type == "webhook"


def test_the_same_message_again_gets_the_first_answer(make_endpoint):
    headers = signed(make_endpoint().secret, BODY)
    first = ask(HOOK, body=BODY, headers=headers)
    second = ask(HOOK, body=BODY, headers=headers)

    assert (first.status, second.status) == (202, 200)
    assert first.body == second.body
    assert TriggerEvent.objects.count() == InboxEntry.objects.count() == 1


def test_many_at_once_are_each_answered_with_their_own_event(open_endpoint):
    requests: list[Any] = [(HOOK, "POST", as_body({"n": n}), {}, b"", None) for n in range(50)]
    replies = ask_all(requests)

    data = dict(TriggerEvent.objects.values_list("id", "data__n"))
    numbers = {str(event_id): number for event_id, number in data.items()}
    assert [numbers[reply.body["event_id"]] for reply in replies] == list(range(50))


def test_a_bad_signature_is_refused_in_the_envelope(make_endpoint):
    headers = signed(make_endpoint().secret, BODY)
    reply = ask(HOOK, body=BODY + b" ", headers=headers)

    assert reply.status == 401
    assert reply.body["code"] == "signature_refused"
    assert reply.body["problems"] == []
    assert not TriggerEvent.objects.exists()


def test_an_old_message_is_refused(make_endpoint):
    at = clock.now() - timedelta(seconds=400)
    assert ask(HOOK, body=BODY, headers=signed(make_endpoint().secret, BODY, at=at)).status == 401


def test_an_unsigned_idempotency_key_cannot_make_a_signed_message_new(make_endpoint):
    headers = signed(make_endpoint(template="header:X-Id").secret, BODY)
    ask(HOOK, body=BODY, headers={**headers, "idempotency-key": "a", "x-id": "a"})
    again = ask(HOOK, body=BODY, headers={**headers, "idempotency-key": "b", "x-id": "b"})

    assert again.status == 200
    assert TriggerEvent.objects.count() == 1


def test_the_old_secret_is_good_until_it_runs_out(make_endpoint):
    endpoint = make_endpoint()
    new = endpoints.rotate(endpoint)
    old = ask(HOOK, body=BODY, headers=signed(endpoint.secret, BODY, message_id="1"))
    fresh = ask(HOOK, body=BODY, headers=signed(new, BODY, message_id="2"))
    WebhookEndpoint.objects.update(previous_valid_until=clock.now())
    endpoints._kept.clear()
    late = ask(HOOK, body=BODY, headers=signed(endpoint.secret, BODY, message_id="3"))

    assert [old.status, fresh.status, late.status] == [202, 202, 401]


@pytest.mark.parametrize("path", ["/hooks/", "/hooks/x", "/hooks/" + "x" * 5000, "/hooks/\x00"])
def test_an_unknown_address_is_404(open_endpoint, path):
    assert ask(path, body=BODY).status == 404


def test_a_retired_workflow_answers_404_at_once(make_workflow):
    workflow = make_workflow("webhook")
    [told] = workflow.version.answers["webhook_endpoints"]
    path = "/hooks/" + told["url"].rpartition("/")[2]
    assert ask(path, body=BODY).status == 401
    publishing.retire(workflow)

    assert ask(path, body=BODY).status == 404


def test_a_method_that_is_not_set_is_405_and_names_the_others(open_endpoint):
    reply = ask(HOOK, method="DELETE")

    assert (reply.status, reply.headers["allow"]) == (405, "POST")


def test_a_get_makes_an_event_of_its_query(make_endpoint):
    make_endpoint(mode="none", methods=["GET"])
    reply = ask(HOOK, method="GET", query=b"email=ada%40example.com")

    assert reply.status == 202
    event: Any = TriggerEvent.objects.get()
    assert event.data == {}
    assert event.request["query"] == {"email": "ada@example.com"}


def test_ten_mebibytes_are_accepted_and_one_byte_more_is_413(open_endpoint):
    whole = b'"' + b"x" * (MAX_BYTES - 2) + b'"'
    assert ask(HOOK, body=whole).status == 202
    assert ask(HOOK, body=whole + b" ").status == 413
    assert ask(HOOK, parts=[whole[: MAX_BYTES // 2], whole[MAX_BYTES // 2 :], b" "]).status == 413
    assert ask(HOOK, body=b"1", headers={"content-length": "9" * 30}).status == 413
    assert TriggerEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("content_type", "body", "data"),
    [
        ("application/json", b"[1, 2]", {"body": [1, 2]}),
        ("application/json", b"", {}),
        ("application/cloudevents+json", b'{"a": 1}', {"a": 1}),
        ("application/json; charset=utf-8", b'\xef\xbb\xbf{"a": "\\u0000"}', {"a": "\ufffd"}),
        ("application/x-www-form-urlencoded", b"a=1&b=x+y&b=z", {"a": "1", "b": ["x y", "z"]}),
        ("text/plain", "Grüße".encode(), {"body": "Grüße"}),
        ("text/plain; charset=iso-8859-1", b"Gr\xfc\xdfe", {"body": "Grüße"}),
    ],
)
def test_the_body_is_read_as_it_is_declared(open_endpoint, content_type, body, data):
    reply = ask(HOOK, body=body, headers={"content-type": content_type})

    assert reply.status == 202
    assert TriggerEvent.objects.get().data == data


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("multipart/form-data; boundary=x", b"--x", 415),
        ("application/xml", b"<a/>", 415),
        ("text/plain; charset=utf-7", b"x", 415),
        ("\x00/\xff", b"x", 415),
        ("text/plain", b"\xff", 400),
        ("application/json", b"{", 400),
        ("application/json", b"[" * 100_000, 400),
        ("application/json", b"1e400", 400),
        ("application/json", b"NaN", 400),
        ("application/json", b"\xff\xfe{\x00}\x00", 400),
        ("application/x-www-form-urlencoded", b"a=1&" * 2000, 400),
    ],
)
def test_what_cannot_be_read_is_refused(open_endpoint, content_type, body, status):
    reply = ask(HOOK, body=body, headers={"content-type": content_type})

    assert reply.status == status
    assert reply.body.keys() == {"code", "message", "problems"}
    assert not TriggerEvent.objects.exists()


@pytest.mark.parametrize(
    ("template", "headers", "body", "key"),
    [
        ("", {"idempotency-key": "k1"}, b"{}", "k1"),
        ("", {"webhook-id": "w1"}, b"{}", "w1"),
        ("header:X-GitHub-Delivery", {"x-github-delivery": "g1"}, b"{}", "g1"),
        ("body:data.id", {}, b'{"data": {"id": 7}}', "7"),
        ("body:data.id", {}, b'{"data": []}', None),
        ("", {}, b"{}", None),
    ],
)
def test_the_event_key_is_found_where_it_stands(make_endpoint, template, headers, body, key):
    make_endpoint(mode="none", template=template)
    ask(HOOK, body=body, headers=headers)

    assert TriggerEvent.objects.get().dedupe_key == key
    assert EventKey.objects.count() == (key is not None)


def test_odd_characters_in_headers_and_query_are_stored(open_endpoint):
    headers = {"x-odd": "a\x00\xff", "idempotency-key": "k\x00\xff"}
    reply = ask(HOOK, body=BODY, headers=headers, query=b"%00=%ff&\xff=%ed%a0%80")

    assert reply.status == 202


def test_no_database_is_503_with_retry_after_and_never_2xx(open_endpoint, monkeypatch):
    endpoints.load("token-1")
    monkeypatch.setattr(group_commit, "_address", lambda: "host=127.0.0.1 port=1")

    reply = ask(HOOK, body=BODY)

    assert reply.status == 503
    assert int(reply.headers["retry-after"]) > 0
    assert reply.body["code"] == "unavailable"


def test_a_slow_body_is_given_up(open_endpoint, monkeypatch):
    monkeypatch.setattr(hook_server, "BODY_TIMEOUT_S", 0)

    async def send_half():
        scope = {
            "type": "http",
            "method": "POST",
            "path": HOOK,
            "query_string": b"",
            "headers": [],
        }
        talk = ApplicationCommunicator(hook_server.serve_hook, scope)
        await talk.send_input({"type": "http.request", "body": b"{", "more_body": True})
        start = await talk.receive_output(5)
        await talk.wait()
        return start["status"]

    assert asyncio.run(send_half()) == 408


def test_a_client_that_leaves_is_not_answered(open_endpoint):
    async def leave():
        scope = {
            "type": "http",
            "method": "POST",
            "path": HOOK,
            "query_string": b"",
            "headers": [],
        }
        talk = ApplicationCommunicator(hook_server.serve_hook, scope)
        await talk.send_input({"type": "http.disconnect"})
        await talk.wait()
        return talk.output_queue.empty()

    assert asyncio.run(leave())
    assert not TriggerEvent.objects.exists()
