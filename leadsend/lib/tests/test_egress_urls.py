from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from leadsend.lib.egress.addresses import is_public, parse_address
from leadsend.lib.egress.journey import first_leg, next_leg
from leadsend.lib.egress.urls import (
    check_headers,
    check_host_name,
    check_method,
    check_url,
    is_same_origin,
)
from leadsend.lib.errors import PermanentError


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "http://example.com:8080/a?b=c#d",
        "HTTPS://EXAMPLE.COM/",
        "https://example.com./",
        "https://bücher.example/",
        "https://xn--bcher-kva.example/",
        "http://93.184.216.34/",
        "http://[2606:4700::1111]/",
        "https://a_b.example.com/x%20y",
        "https://example.com/@user",
        "https://example.com/?next=http://127.0.0.1@x",
        "https://123.example.com",
    ],
)
def test_ordinary_addresses_pass(url):
    assert check_url(url).scheme in ("http", "https")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com",
        "http:",
        "http://",
        "http:///path",
        "http:example.com",
        "ftp://example.com",
        "file:///etc/passwd",
        "gopher://example.com",
        "dict://example.com:11211/",
        "javascript:alert(1)",
        "data:text/plain,x",
        "ws://example.com",
        "unix:///var/run/docker.sock",
        "http+unix://%2Fvar%2Frun%2Fdocker.sock/x",
        "http://user@example.com",
        "http://user:pass@example.com",
        "http://@example.com",
        "http://example.com@127.0.0.1",
        "http://example.com:80@127.0.0.1:80",
        "http://127.0.0.1\\@example.com",
        "http://example.com\\.evil.com",
        "http://exa mple.com",
        "http://example.com /",
        " http://example.com",
        "http://example.com\n",
        "http://exam\tple.com",
        "http://example.com\r\nHost: evil",
        "http://example.com/\x00",
        "http://example.com/\u2028",
        "http://\ud800.com/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.1/",
        "http://017700000001/",
        "http://0/",
        "http://0x/",
        "http://127.0.0.1.0x1/",
        "http://127.0.0.256/",
        "http://1.2.3.4.5/",
        "http://127.00.0.1/",
        "http://[::1/",
        "http://[::1]x/",
        "http://[::1%25lo]/",
        "http://[fe80::1%eth0]/",
        "http://[]/",
        "http://%31%32%37.0.0.1/",
        "http://a%2eb.com/",
        "http://a..b.com/",
        "http://.example.com/",
        "http://-/",
        "http://a,b.com/",
        "http://a;b.com/",
        "http://*.example.com/",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://example.com:-1/",
        "http://example.com:80:80/",
        "http://example.com:abc/",
        "http://" + "a" * 300 + ".com/",
        "http://example.com/" + "a" * 8192,
    ],
)
def test_what_is_no_plain_web_address_is_refused(url):
    with pytest.raises(PermanentError) as refusal:
        check_url(url)

    assert refusal.value.code == "egress_refused"


@pytest.mark.parametrize(
    "host",
    ["１２７.０.０.１", "127。0。0。1", "①②⑦.0.0.1", "127.0.0.1", "[::ffff:127.0.0.1]"],  # noqa: RUF001 - tricks
)
def test_a_disguised_address_is_seen_as_the_address_it_is(host):
    assert check_url(f"http://{host}/").raw_host in ("127.0.0.1", "::ffff:7f00:1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "a\r\nX-B: c"),
        ("X-A", "a\nb"),
        ("X-A", "a\x00"),
        ("X A", "b"),
        ("X-A:", "b"),
        ("", "b"),
        ("X-Ä", "b"),
        ("X-A\r\nHost", "evil"),
        ("Host", "evil.com"),
        ("content-length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "upgrade"),
        ("Proxy-Authorization", "x"),
        ("X-A", "a" * 70_000),
    ],
)
def test_headers_that_split_or_steer_the_request_are_refused(name, value):
    with pytest.raises(PermanentError):
        check_headers({name: value})


def test_ordinary_headers_pass():
    headers = {"Authorization": "Bearer a.b-c", "X-Name": "Jürgen", "Accept": "*/*"}

    assert check_headers(headers) == headers


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "", "GET /", "G\r\nET", "PROPFIND"])
def test_unusual_methods_are_refused(method):
    with pytest.raises(PermanentError):
        check_method(method)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("http://a.com/", "http://a.com/x", True),
        ("http://a.com/", "https://a.com/", True),
        ("http://a.com:80/", "http://a.com/", True),
        ("https://a.com/", "http://a.com/", False),
        ("http://a.com:8080/", "https://a.com/", False),
        ("http://a.com/", "http://b.a.com/", False),
        ("http://a.com/", "http://a.com:8080/", False),
    ],
)
def test_credentials_follow_only_within_one_origin(first, second, same):
    assert is_same_origin(URL(first), URL(second)) is same


def test_a_redirect_to_another_origin_takes_no_credentials_along():
    headers = {"Authorization": "x", "X-Own-Key": "y", "Cookie": "z", "Accept": "a/b"}
    journey = first_leg("GET", "https://a.com/", headers, None)

    onward = next_leg(journey, 302, "https://b.com/")

    assert onward is not None
    assert onward.headers == {"Accept": "a/b"}


@pytest.mark.parametrize(
    ("status", "method", "body"),
    [
        (301, "GET", None),
        (302, "GET", None),
        (303, "GET", None),
        (307, "POST", b"x"),
        (308, "POST", b"x"),
    ],
)
def test_a_redirected_post_becomes_what_browsers_make_of_it(status, method, body):
    journey = first_leg("POST", "https://a.com/x", {"Content-Type": "a/b"}, b"x")

    onward = next_leg(journey, status, "/y")

    assert onward is not None
    assert (onward.method, onward.body, str(onward.url)) == (method, body, "https://a.com/y")


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "http://u:p@b.com/",
        "//u@b.com/",
        "http://2130706433/",
        "\x00",
        "http://[::1",
        "gopher://x/",
    ],
)
def test_a_redirect_passes_the_same_gate(location):
    with pytest.raises(PermanentError):
        next_leg(first_leg("GET", "https://a.com/", {}, None), 302, location)


_INNER = st.sampled_from(["127.0.0.0/8", "10.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16"]).flatmap(
    lambda network: st.ip_addresses(network=network)
)
_SPELLINGS = st.sampled_from(
    [str, "0x{:x}".format, "0{:o}".format, "0X{:X}".format, "000{}".format]
)


@given(
    address=_INNER,
    parts=st.integers(1, 4),
    spellings=st.lists(_SPELLINGS, min_size=4, max_size=4),
    dot=st.sampled_from([".", "。", "．", "｡"]),  # noqa: RUF001 - look-alikes
    tail=st.sampled_from(["", "."]),
)
def test_however_an_inner_address_is_spelt_it_is_refused_or_seen(
    address, parts, spellings, dot, tail
):
    octets = list(address.packed)
    last = int.from_bytes(bytes(octets[parts - 1 :]), "big")
    numbers = [*octets[: parts - 1], last]
    host = dot.join(spell(number) for spell, number in zip(spellings, numbers, strict=False))

    try:
        url = check_url(f"http://{host}{tail}/")
    except PermanentError:
        return

    seen = parse_address(check_host_name(url.raw_host))
    assert seen is not None
    assert not is_public(seen)
