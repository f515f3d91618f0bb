from __future__ import annotations

import asyncio
import socket

import pytest

from leadsend.lib.egress.resolving import look_up
from leadsend.lib.tests.egress_canary import canary, client, code_of, names, redirect

FORBIDDEN_HOSTS = """
127.0.0.1 127.1 127.0.1 127.0.0.1. 127.000.000.001 0 0.0.0.0 00.0.0.0 2130706433 017700000001
0x7f000001 0x7F000001 0x7f.0.0.1 0x7f.1 0177.0.0.1 0177.1 127.0.0.0x1 127.255.255.254 127.127.127.127
localhost LOCALHOST localhost. lOcAlHoSt localhost.localdomain ip6-localhost ip6-loopback
[::1] [::] [0:0:0:0:0:0:0:1] [0000::1] [::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:ffff:127.0.0.1]
[::127.0.0.1] [::ffff:0:127.0.0.1] [64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b:1::127.0.0.1]
[2002:7f00:1::] [2002:7f00:0001::1] [2001:0:7f00:1::] [fe80::1] [fd00:ec2::254] [ff02::1]
１２７.０.０.１ ①②⑦.⓪.⓪.① 127。0。0。1 127．0．0．1 ⓛⓞⓒⓐⓛⓗⓞⓢⓣ %31%32%37.0.0.1 127.0.0.1%00 127.0.0.1%2e
10.0.0.1 172.16.0.1 192.168.0.1 169.254.169.254 169.254.170.2 100.100.100.200 192.0.0.192
0xa9fea9fe 2852039166 0251.0376.0251.0376 169.254.43518 [::ffff:169.254.169.254] [::ffff:a9fe:a9fe]
[64:ff9b::a9fe:a9fe] [2002:a9fe:a9fe::] 224.0.0.1 255.255.255.255 240.0.0.1 198.18.0.1
user@127.0.0.1 user:pw@127.0.0.1 example.com@127.0.0.1 example.com%40127.0.0.1 @127.0.0.1
private.test mapped.test mixed.test mixed6.test nat64.test sixtofour.test teredo.test zero.test
metadata.test loop6.test odd.test empty.test 127.0.0.1.nip.test
""".split()  # noqa: SIM905, RUF001 - a table of words, and the look-alikes are meant
LYING_NAMES = {
    "private.test": ["127.0.0.1"],
    "mapped.test": ["::ffff:127.0.0.1"],
    "mixed.test": ["93.184.216.34", "127.0.0.1"],
    "mixed6.test": ["2606:4700::1111", "::1"],
    "nat64.test": ["64:ff9b::7f00:1"],
    "sixtofour.test": ["2002:7f00:1::"],
    "teredo.test": ["2001:0:7f00:1::"],
    "zero.test": ["0.0.0.0"],  # noqa: S104 - an answer, not a binding
    "metadata.test": ["169.254.169.254"],
    "loop6.test": ["::1"],
    "odd.test": ["127.0.0.1%lo"],
    "empty.test": [],
    "127.0.0.1.nip.test": ["127.0.0.1"],
}


async def lying_look_up(host, port):
    """Answer our own names, and let the system read what it takes for addresses."""
    if host in LYING_NAMES:
        return LYING_NAMES[host]
    return await look_up(host, port)


def test_hostile_hosts_never_get_a_connection():
    async def attack():
        async with canary() as target, client(ports=[target.port], lookup=lying_look_up) as guard:
            codes = [
                await code_of(guard, f"{scheme}://{host}:{target.port}/")
                for host in FORBIDDEN_HOSTS
                for scheme in ("http", "https")
            ]
            return target.connections, codes

    connections, codes = asyncio.run(attack())

    assert len(codes) >= 150
    assert connections == 0
    assert set(codes) <= {"egress_refused", "unreachable"}
    assert codes.count("unreachable") <= 10


def test_a_redirect_to_a_forbidden_host_is_not_followed():
    targets = [
        "http://127.0.0.1:{port}/in",
        "//127.0.0.1:{port}/in",
        "http://[::1]:{port}/in",
        "http://2130706433:{port}/in",
        "http://0x7f.1:{port}/in",
        "http://private.test:{port}/in",
        "http://x@front.test:{port}/in",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/_x",
        "http://[::ffff:127.0.0.1]:{port}/in",
        "https://127.0.0.1:{port}/in",
        "http://front.test:22/",
    ]

    async def attack():
        async with canary() as target:
            lookup = names({"front.test": ["127.0.0.1"], "private.test": ["127.0.0.1"]})
            allow = [f"front.test:{target.port}"]
            for number, where in enumerate(targets):
                target.answers[f"/{number}"] = redirect(where.format(port=target.port))
            async with client(allow=allow, ports=[target.port], lookup=lookup) as guard:
                url = f"http://front.test:{target.port}/"
                codes = [await code_of(guard, f"{url}{number}") for number in range(len(targets))]
            return codes, [request[1] for request in target.requests]

    codes, paths = asyncio.run(attack())

    assert set(codes) == {"egress_refused"}
    assert "/in" not in paths


def test_a_name_that_turns_private_between_two_answers_is_refused_at_the_second():
    async def attack():
        async with canary() as target:
            answers = {"rebind.test": [["203.0.114.1"], ["127.0.0.1"], ["127.0.0.1"]]}
            lookup = names(answers)
            async with client(ports=[target.port], lookup=lookup) as guard:
                # The public answer is what would be connected to, never asked for again.
                first = await guard._session().connector._resolver.resolve(
                    "rebind.test", target.port
                )
                second = await code_of(guard, f"http://rebind.test:{target.port}/")
            return first, second, target.connections

    first, second, connections = asyncio.run(attack())

    assert [answer["host"] for answer in first] == ["203.0.114.1"]
    assert (second, connections) == ("egress_refused", 0)


def test_the_last_gate_stops_an_address_that_nothing_let_through():
    async def attack():
        async with client() as guard:
            guard._open_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 80)))

    with pytest.raises(OSError, match="not let through"):
        asyncio.run(attack())
