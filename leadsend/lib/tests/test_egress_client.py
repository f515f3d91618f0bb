from __future__ import annotations

import asyncio
import gzip
import resource
import socket
import zlib

import pytest

from leadsend.lib.errors import LeadSendError, PermanentError, RetryableError
from leadsend.lib.tests.egress_canary import canary, client, code_of, ok, redirect


def test_what_the_operator_allows_is_reached_and_answers():
    async def call():
        async with canary() as target:
            target.answers["/json"] = ok(
                b'{"a":1}', "Content-Type: application/json", "X-A: 1", "X-A: 2"
            )
            async with client(allow=[f"127.0.0.1:{target.port}"]) as guard:
                url = f"http://127.0.0.1:{target.port}/json"
                answers = [
                    await guard.request("post", url, headers={"X-Key": "k"}, body=b"hello")
                    for _ in range(3)
                ]
            return answers, target

    answers, target = asyncio.run(call())

    assert [answer.status for answer in answers] == [200] * 3
    assert answers[0].body == b'{"a":1}'
    assert answers[0].headers["x-a"] == "1, 2"
    method, path, headers, body = target.requests[0]
    assert (method, path, headers["x-key"], body) == ("POST", "/json", "k", b"hello")
    assert target.connections == 1


def test_credentials_are_dropped_when_the_origin_changes():
    async def call():
        async with canary() as target, canary() as other:
            target.answers["/a"] = redirect("/b")
            target.answers["/b"] = redirect(f"http://127.0.0.1:{other.port}/c")
            async with client(allow=["127.0.0.1"]) as guard:
                headers = {"Authorization": "Bearer x", "X-Own": "y", "Accept": "a/b"}
                await guard.request("GET", f"http://127.0.0.1:{target.port}/a", headers=headers)
            return target.requests[1][2], other.requests[0][2]

    same, foreign = asyncio.run(call())

    assert same["authorization"] == "bearer x"
    assert "authorization" not in foreign
    assert "x-own" not in foreign
    assert foreign["accept"] == "a/b"


@pytest.mark.parametrize(("hops", "code"), [(3, 200), (4, "egress_refused")])
def test_three_redirects_are_followed_and_no_more(hops, code):
    async def call():
        async with canary() as target, client(allow=["127.0.0.1"]) as guard:
            for hop in range(hops):
                target.answers[f"/{hop}"] = redirect(f"/{hop + 1}")
            return await code_of(guard, f"http://127.0.0.1:{target.port}/0")

    assert asyncio.run(call()) == code


def test_cookies_are_not_kept():
    async def call():
        async with canary() as target, client(allow=["127.0.0.1"]) as guard:
            target.answers["/"] = ok(b"", "Set-Cookie: a=b")
            for _ in range(2):
                await guard.request("GET", f"http://127.0.0.1:{target.port}/")
            return target.requests[1][2]

    assert "cookie" not in asyncio.run(call())


def test_a_proxy_of_the_environment_is_not_used(monkeypatch):
    async def call():
        async with canary() as proxy, canary() as target, client(allow=["127.0.0.1"]) as guard:
            monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
            await guard.request("GET", f"http://127.0.0.1:{target.port}/")
            return proxy.connections, target.connections

    assert asyncio.run(call()) == (0, 1)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
def test_packed_answers_are_unpacked(pack):
    body = b"hello " * 1000

    answer = asyncio.run(_answered(ok(pack(body), f"Content-Encoding: {_encoding(pack)}")))

    assert answer.body == body


def test_a_bomb_is_cut_off_before_it_unpacks():
    bomb = _bomb(500 * 1024 * 1024)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    code = asyncio.run(_answered(ok(bomb, "Content-Encoding: gzip")))

    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert code == "response_too_large"
    assert grown_kib < 64 * 1024


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (ok(b"x" * (10 * 1024 * 1024)), 200),
        (ok(b"x" * (10 * 1024 * 1024 + 1)), "response_too_large"),
        (ok(b"x", "Content-Encoding: br"), "response_unreadable"),
        (ok(b"no gzip", "Content-Encoding: gzip"), "response_unreadable"),
        (ok(gzip.compress(b"x" * 100)[:-9], "Content-Encoding: gzip"), "response_unreadable"),
        (ok(b"", "Content-Encoding: gzip"), 200),
        (ok(b"x", *[f"X-{n}: {'a' * 4000}" for n in range(20)]), "response_too_large"),
        (ok(b"x", "X-Long: " + "a" * 100_000), "connection_lost"),
        (b"nonsense\r\n\r\n", "connection_lost"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "connection_lost"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "connection_lost"),
    ],
    ids=range(11),
)
def test_odd_answers_end_in_a_clear_error(raw, code):
    answer = asyncio.run(_answered(raw))

    assert (answer if isinstance(answer, str) else answer.status) == code


def test_a_slow_drip_ends_at_the_total_time():
    async def drip(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(100):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    error = asyncio.run(_error(drip, timeout_s=0.3))

    assert (error.code, error.uncertain) == ("timeout", True)


def test_an_answer_that_never_comes_is_uncertain():
    async def silent(writer):
        await asyncio.sleep(0.5)

    error = asyncio.run(_error(silent, timeout_s=0.1))

    assert isinstance(error, RetryableError)
    assert (error.code, error.uncertain) == ("timeout", True)


def test_a_connection_cut_after_sending_is_uncertain():
    async def cut(writer):
        writer.transport.abort()

    error = asyncio.run(_error(cut))

    assert (error.code, error.uncertain) == ("connection_lost", True)


def test_a_closed_port_is_retryable_and_certain():
    async def call():
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
            async with client(allow=["127.0.0.1"]) as guard:
                await guard.request("POST", f"http://127.0.0.1:{port}/")

    with pytest.raises(RetryableError) as error:
        asyncio.run(call())

    assert (error.value.code, error.value.uncertain) == ("unreachable", False)


def test_a_name_server_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr("leadsend.lib.egress.resolving.RESOLVE_TIMEOUT_S", 0.05)

    async def hang(host, port):
        await asyncio.sleep(1)

    async def call():
        async with client(lookup=hang) as guard:
            return await code_of(guard, "http://slow.test/")

    assert asyncio.run(call()) == "unreachable"


def test_many_calls_share_the_connections():
    async def call():
        async with canary() as target, client(allow=["127.0.0.1"]) as guard:
            url = f"http://127.0.0.1:{target.port}/"
            for _ in range(10):
                await asyncio.gather(*(guard.request("POST", url, body=b"x") for _ in range(20)))
            return len(target.requests), target.connections

    requests, connections = asyncio.run(call())

    assert requests == 200
    assert connections <= 20


async def _answered(raw):
    async with canary({"/": raw}) as target, client(allow=["127.0.0.1"]) as guard:
        try:
            return await guard.request("GET", f"http://127.0.0.1:{target.port}/")
        except LeadSendError as error:
            return error.code


async def _error(answer, timeout_s=10.0):
    async with canary({"/": answer}) as target, client(allow=["127.0.0.1"]) as guard:
        try:
            await guard.request("POST", f"http://127.0.0.1:{target.port}/", timeout_s=timeout_s)
        except (RetryableError, PermanentError) as error:
            return error
    return None


def _encoding(pack):
    return "gzip" if pack is gzip.compress else "deflate"


def _bomb(size):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    step = b"\0" * (1024 * 1024)
    parts = [packer.compress(step) for _ in range(size // len(step))]
    return b"".join(parts) + packer.flush()
