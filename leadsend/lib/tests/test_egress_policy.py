from __future__ import annotations

from ipaddress import ip_address

import pytest

from leadsend.lib.egress.policy import make_policy
from leadsend.lib.errors import ConfigurationError, PermanentError


def allows(entries, host, address, port, ports=(80, 443)):
    try:
        make_policy(entries, ports).check_address(host, ip_address(address), port)
    except PermanentError:
        return False
    return True


def test_a_public_address_is_allowed_on_the_ordinary_ports_only():
    assert allows([], "a.com", "8.8.8.8", 443)
    assert not allows([], "a.com", "8.8.8.8", 22)


@pytest.mark.parametrize(
    ("entry", "host", "address", "port"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1", 9000),
        ("127.0.0.1:9000", "localhost", "127.0.0.1", 9000),
        ("127.0.0.1:9000", "x", "::ffff:127.0.0.1", 9000),
        ("10.0.0.0/8", "db", "10.1.2.3", 5432),
        ("10.0.0.0/8:5432", "db", "10.1.2.3", 5432),
        ("localhost:9000", "localhost", "127.0.0.1", 9000),
        ("Sink.Internal", "sink.internal.", "10.0.0.1", 80),
        ("::1", "::1", "::1", 9000),
        ("[::1]:9000", "::1", "::1", 9000),
        ("[fd00::/8]:80", "x", "fd00::7", 80),
        ("fd00::/8", "x", "fd00::7", 81),
    ],
)
def test_an_entry_opens_what_it_names(entry, host, address, port):
    assert not allows([], host, address, port)
    assert allows([entry], host, address, port)


@pytest.mark.parametrize(
    ("entry", "host", "address", "port"),
    [
        ("127.0.0.1:9000", "x", "127.0.0.1", 9001),
        ("127.0.0.1:9000", "x", "127.0.0.2", 9000),
        ("10.0.0.0/8:80", "x", "11.0.0.1", 22),
        ("localhost:9000", "localhost.evil.com", "127.0.0.1", 9000),
        ("localhost:9000", "evil-localhost", "127.0.0.1", 9000),
        ("sink.internal", "other.internal", "10.0.0.1", 80),
        ("[::1]:9000", "x", "::1", 9001),
    ],
)
def test_an_entry_opens_nothing_beside_it(entry, host, address, port):
    assert not allows([entry], host, address, port)


@pytest.mark.parametrize(
    "entry",
    ["", "*", "a b", "host:", "host:0", "host:65536", "host:x", "10.0.0.0/33", "http://a", "[::1",
     "[::1]x", "[::1]:", "1.2.3", "a/b", "host:८०"],
)  # fmt: skip
def test_an_unreadable_entry_is_named(entry):
    with pytest.raises(ConfigurationError, match="LEADSEND_EGRESS_ALLOW"):
        make_policy([entry], [80])


def test_the_refusal_tells_the_host_but_not_its_address():
    with pytest.raises(PermanentError) as refusal:
        make_policy([], [80]).check_address("intranet.acme.com", ip_address("10.9.8.7"), 80)

    assert refusal.value.code == "egress_refused"
    assert "intranet.acme.com" in refusal.value.message
    assert "10.9.8.7" not in refusal.value.message
