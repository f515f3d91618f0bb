from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest
from asgiref.testing import ApplicationCommunicator

from leadsend.lib import clock, ids, postgres
from leadsend.lib.errors import Unavailable
from triggers import endpoints, hook_server
from triggers.endpoints import Endpoint
from triggers.events import Accepted
from triggers.signatures import new_secret
from triggers.tests.conftest import as_body, signed
from triggers.tests.serving import ask, ask_all

HOOK = "/hooks/token-1"
BODY = as_body({"email": "ada@example.com", "score": 80})


@pytest.fixture
def know():
    """Return a function that puts an endpoint where the accept path looks first."""

    def remember(*, mode="standard_webhooks", methods=("POST",), template=""):
        endpoint = Endpoint(
            id=ids.uuid7(),
            project_id=ids.uuid7(),
            trigger_key="webhook",
            methods=frozenset(methods),
            auth_mode=mode,
            auth_cfg={},
            secret=new_secret(mode),
            previous_secret="",
            previous_valid_until=None,
            event_key_template=template,
        )
        endpoints._kept["token-1"] = endpoints._Kept(endpoint, clock.monotonic() + 60)
        return endpoint

    return remember


@pytest.fixture
def opened(know):
    return know(mode="none")


@pytest.fixture
def taken(monkeypatch):
    """The events that would have gone into the inbox."""
    events = []

    async def accept(event, **_size):
        events.append(event)
        return Accepted(event_id=ids.uuid7(), is_repeat=False)

    monkeypatch.setattr(hook_server, "accept", accept)
    return events


@pytest.fixture
def unknown(monkeypatch):
    """A database that knows no endpoint; what it was asked for."""
    asked: list[str] = []
    monkeypatch.setattr(endpoints, "load", asked.append)
    return asked


def test_a_bad_signature_is_refused_in_the_envelope(know, taken):
    headers = signed(know().secret, BODY)
    reply = ask(HOOK, body=BODY + b" ", headers=headers)

    assert reply.status == 401
    assert reply.body["code"] == "signature_refused"
    assert reply.body["problems"] == []
    assert taken == []


def test_an_old_message_is_refused(know, taken):
    at = clock.now() - timedelta(seconds=400)
    assert ask(HOOK, body=BODY, headers=signed(know().secret, BODY, at=at)).status == 401


@pytest.mark.parametrize("path", ["/hooks/", "/hooks/x", "/hooks/" + "x" * 5000, "/hooks/\x00"])
def test_an_unknown_address_is_404(opened, unknown, path):
    assert ask(path, body=BODY).status == 404


def test_a_method_that_is_not_set_is_405_and_names_the_others(opened, taken):
    reply = ask(HOOK, method="DELETE")

    assert (reply.status, reply.headers["allow"]) == (405, "POST")


def test_a_get_makes_an_event_of_its_query(know, taken):
    know(mode="none", methods=["GET"])
    reply = ask(HOOK, method="GET", query=b"email=ada%40example.com")

    assert reply.status == 202
    [event] = taken
    assert event.data == {}
    assert event.request["query"] == {"email": "ada@example.com"}


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
def test_the_body_is_read_as_it_is_declared(opened, taken, content_type, body, data):
    reply = ask(HOOK, body=body, headers={"content-type": content_type})

    assert reply.status == 202
    assert taken[0].data == data


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("multipart/form-data; boundary=x", b"--x", 415),
        ("application/pdf", b"%PDF", 415),
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
def test_what_cannot_be_read_is_refused(opened, taken, content_type, body, status):
    reply = ask(HOOK, body=body, headers={"content-type": content_type})

    assert reply.status == status
    assert reply.body.keys() == {"code", "message", "problems"}
    assert taken == []


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
def test_the_event_key_is_found_where_it_stands(know, taken, template, headers, body, key):
    know(mode="none", template=template)
    ask(HOOK, body=body, headers=headers)

    assert taken[0].dedupe_key == key


def test_no_database_is_503_with_retry_after_and_never_2xx(opened, monkeypatch):
    monkeypatch.setattr(postgres, "address", lambda **_: {"host": "127.0.0.1", "port": 1})

    reply = ask(HOOK, body=BODY)

    assert reply.status == 503
    assert int(reply.headers["retry-after"]) > 0
    assert reply.body["code"] == "unavailable"


def test_a_slow_body_is_given_up(opened, monkeypatch):
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


def test_a_client_that_leaves_is_not_answered(opened, taken):
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
    assert taken == []


def test_what_cannot_be_a_token_is_not_looked_up(unknown):
    ask("/hooks/\x00", body=BODY)
    ask("/hooks/" + "x" * 65, body=BODY)

    assert unknown == []


def test_however_many_ask_at_once_the_endpoint_is_looked_up_once(unknown):
    replies = ask_all([("/hooks/other", "POST", BODY, {}, b"", None)] * 20)

    assert {reply.status for reply in replies} == {404}
    assert unknown == ["other"]


def test_a_look_up_that_takes_too_long_is_503(monkeypatch):
    done = threading.Event()
    monkeypatch.setattr(hook_server, "LOOKUP_TIMEOUT_S", 0.01)
    monkeypatch.setattr(endpoints, "load", lambda token: done.wait(10) and None)

    async def ask_and_go_on():
        try:
            async with asyncio.timeout(5):
                return await hook_server._find("token-1")
        finally:
            done.set()

    with pytest.raises(Unavailable):
        asyncio.run(ask_and_go_on())
