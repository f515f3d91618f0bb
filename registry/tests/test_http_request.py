from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from leadsend.lib.egress.client import EgressClient
from leadsend.lib.egress.policy import make_policy
from leadsend.lib.errors import ConfigurationError, PermanentError, RetryableError
from leadsend.lib.redaction import forgetting_secrets, redact_text
from leadsend.lib.tests.egress_canary import canary
from leadsend.lib.tests.egress_canary import ok as served
from registry.actions.http_request import HTTP_REQUEST, retry_after_s
from registry.sdk.action import HttpResponse
from registry.sdk.faking import FakeContext, FakeHttp, ok, run_action

URL = "https://api.example.com/leads"


def answered(answer, **inputs):
    return run_action(HTTP_REQUEST, {"url": URL, **inputs}, FakeContext(http=FakeHttp([answer])))


def sent(ctx=None, **inputs):
    ctx = ctx or FakeContext()
    run_action(HTTP_REQUEST, {"url": URL, **inputs}, ctx)
    return ctx.http.requests[0]


def test_the_idempotency_key_goes_along():
    ctx = FakeContext()

    assert sent(ctx)["headers"]["Idempotency-Key"] == str(ctx.idempotency_key)


@pytest.mark.parametrize(
    ("inputs", "body", "content_type"),
    [
        ({"body": {"a": [1, "ü"]}}, '{"a":[1,"ü"]}', "application/json"),
        ({"body": False}, "false", "application/json"),
        (
            {"body": {"a": 1, "b": ["x", "y z"], "c": None}, "body_kind": "form"},
            "a=1&b=x&b=y+z",
            "application/x-www-form-urlencoded",
        ),
        ({"body": "plain", "body_kind": "raw"}, "plain", "text/plain; charset=utf-8"),
    ],
)
def test_the_body_is_written_in_its_kind(inputs, body, content_type):
    request = sent(method="POST", **inputs)

    assert request["body"].decode() == body
    assert request["headers"]["Content-Type"] == content_type


def test_without_a_body_none_is_sent():
    request = sent()

    assert (request["method"], request["body"]) == ("GET", None)
    assert "Content-Type" not in request["headers"]


def test_parameters_are_added_and_quoted():
    request = sent(
        url=f"{URL}?x=1", query={"q": "a b&c", "n": 5, "t": True, "no": None, "l": [1, 2]}
    )

    assert request["url"] == f"{URL}?x=1&q=a+b%26c&n=5&t=true&l=1&l=2"


def test_own_headers_win_whatever_their_case():
    headers = sent(headers={"content-type": "text/csv", "IDEMPOTENCY-KEY": "mine"}, body="x")[
        "headers"
    ]

    assert headers == {"content-type": "text/csv", "IDEMPOTENCY-KEY": "mine"}


@pytest.mark.parametrize(
    ("secret", "header", "value"),
    [
        ({"type": "api_key", "key": "k"}, "X-API-Key", "k"),
        ({"type": "api_key", "key": "k", "header": "X-Own"}, "X-Own", "k"),
        ({"type": "bearer", "token": "t"}, "Authorization", "Bearer t"),
        ({"type": "basic", "user": "u", "password": "p:ü"}, "Authorization", "Basic dTpwOsO8"),
        ({"type": "custom", "headers": "X-A: 1\n\nX-B: two"}, "X-B", "two"),
    ],
)
def test_a_connection_signs_the_call(secret, header, value):
    request = sent(FakeContext(secrets={"c": secret}), credential_id="c")

    assert request["headers"][header] == value


@pytest.mark.parametrize(
    "secret",
    [
        {"type": "basic", "user": "ana", "password": "p4ssw0rd"},
        {"type": "custom", "headers": "X-A: s3cret-1\nX-B: s3cret-2"},
        {"type": "bearer", "token": "tok-12345"},
    ],
    ids=lambda secret: secret["type"],
)
def test_what_an_echoing_service_says_of_the_connection_can_be_hidden(secret):
    ctx = FakeContext(secrets={"c": secret})
    with forgetting_secrets():
        sent_headers = sent(ctx, credential_id="c")["headers"]
        echoed = redact_text(json.dumps(sent_headers))

    own = [value for name, value in sent_headers.items() if name != "Idempotency-Key"]
    assert all(value not in echoed and value.split()[-1] not in echoed for value in own)


@pytest.mark.parametrize(
    ("hosts", "allowed"),
    [
        ("api.example.com", True),
        ("*.example.com", True),
        ("other.com, API.example.com", True),
        ("example.com", False),
        ("*.api.example.com", False),
        ("evil.com", False),
    ],
)
def test_a_connection_is_used_only_for_the_hosts_it_is_meant_for(hosts, allowed):
    ctx = FakeContext(secrets={"c": {"type": "bearer", "token": "t", "allowed_hosts": hosts}})

    if allowed:
        assert sent(ctx, credential_id="c")["url"] == URL
        return
    with pytest.raises(ConfigurationError, match="not meant for"):
        sent(ctx, credential_id="c")


def test_a_connection_to_a_mail_server_cannot_sign_a_call():
    ctx = FakeContext(secrets={"c": {"type": "smtp", "host": "x", "password": "p"}})

    with pytest.raises(ConfigurationError):
        sent(ctx, credential_id="c")


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (ok(b'{"a":1}', content_type="application/json"), {"a": 1}),
        (ok(b'{"a":1}', content_type="application/problem+json; charset=utf-8"), {"a": 1}),
        (ok(b'{"a":', content_type="application/json"), '{"a":'),
        (ok(b'{"a":1}', content_type="text/plain"), '{"a":1}'),
        (ok(b"caf\xe9", content_type="text/plain; charset=latin-1"), "café"),
        (ok(b"x\x00\xff", content_type="application/octet-stream"), "x\ufffd\ufffd"),
        (ok(b"x", content_type="text/plain; charset=nonsense"), "x"),
        (ok(b'"\\u0000"', content_type="application/json"), "\ufffd"),
        (ok(b""), ""),
        (ok(b"", content_type="application/json"), ""),
    ],
)
def test_the_answer_is_read_as_its_content_type_says(answer, body):
    assert answered(answer)["body"] == body


def test_the_output_is_status_headers_and_body():
    output = answered(ok(b"x", status=201, Location="/1"))

    assert output == {"status": 201, "headers": {"location": "/1"}, "body": "x"}


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520])
def test_what_may_pass_is_tried_again(status):
    with pytest.raises(RetryableError) as error:
        answered(ok(b"busy", status=status, Retry_After="7"))

    assert (error.value.code, error.value.retry_after_s) == (f"http_{status}", 7.0)
    assert "busy" in error.value.message


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422, 501, 505])
def test_what_will_not_pass_is_final(status):
    with pytest.raises(PermanentError, match=str(status)):
        answered(ok(status=status))


@pytest.mark.parametrize("status", [200, 204, 302, 304])
def test_other_answers_are_results(status):
    assert answered(ok(status=status))["status"] == status


def test_retry_after_is_seconds_or_a_date_and_at_most_a_day(time_machine):
    time_machine.move_to("2026-03-02T09:00:00+00:00", tick=False)

    assert retry_after_s("120") == 120.0
    assert retry_after_s("Mon, 02 Mar 2026 09:01:00 GMT") == 60.0
    assert retry_after_s("Mon, 02 Mar 2026 08:00:00 GMT") == 0.0
    assert retry_after_s("999999999") == 86_400.0
    assert retry_after_s("Fri, 01 Jan 2100 00:00:00 GMT") == 86_400.0
    assert retry_after_s("soon") is None
    assert retry_after_s("-5") is None
    assert retry_after_s(None) is None


@pytest.mark.parametrize(
    "inputs",
    [{"headers": "x"}, {"query": [1]}, {"body": "x", "body_kind": "form"}, {"timeout_s": "x"}],
)
def test_settings_that_came_out_wrong_are_named(inputs):
    with pytest.raises(ConfigurationError):
        sent(**inputs)


def test_errors_of_the_network_pass_through():
    with pytest.raises(RetryableError, match="away"):
        answered(RetryableError("away"))


def test_json_numbers_come_back_as_they_were():
    body = {"n": 1.5, "i": 2**53, "b": None}

    assert answered(ok(json.dumps(body).encode(), content_type="application/json"))["body"] == body


def test_through_the_real_guard_an_inner_address_is_refused_and_an_allowed_one_answers():
    async def call(allow):
        async with canary() as target:
            target.answers["/a?x=1"] = served(b'{"n":1}', "Content-Type: application/json")
            policy = make_policy([allow.format(port=target.port)] if allow else [], [target.port])
            guard = EgressClient[HttpResponse](policy, answer=HttpResponse)
            inputs = {"url": f"http://127.0.0.1:{target.port}/a", "query": {"x": 1}}
            try:
                ctx: Any = FakeContext()
                ctx.http = guard
                output = await HTTP_REQUEST.run(ctx, inputs)
                return output, target.requests[0][2]["idempotency-key"]
            finally:
                await guard.close()

    output, key = asyncio.run(call("127.0.0.1:{port}"))
    assert (output["status"], output["body"]) == (200, {"n": 1})
    assert key == str(FakeContext().idempotency_key)
    with pytest.raises(PermanentError) as refusal:
        asyncio.run(call(""))
    assert refusal.value.code == "egress_refused"
