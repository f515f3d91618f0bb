"""Requests that no friend would send: bodies, content types, queries and headers, by name."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

JSON = "application/json"
LIMIT = 10 * 1024 * 1024

Hostile = tuple[str, bytes, str]


def bodies() -> Iterator[Hostile]:
    """Yield ``(name, body, content type)`` of well over 150 hostile requests."""
    for name, body in {**_encodings(), **_broken(), **_numbers(), **_shapes(), **_sizes()}.items():
        yield name, body, JSON
    yield from _content_types()


def field_values() -> dict[str, Any]:
    """Return values that a field of any type may be sent, by name."""
    return {
        "null": None,
        "true": True,
        "zero": 0,
        "negative": -1,
        "fraction": 1.5,
        "huge": 2**62,
        "huge float": 1e308,
        "empty": "",
        "blank": " ",
        "long": "x" * 100_000,
        "list": [],
        "nested list": [[[[]]]],
        "object": {},
        "nested object": {"a": {"b": {"c": []}}},
        "NUL": "a\x00b",
        "surrogate": "a\ud800b",
        "right to left": "\u202egnp.exe",
        "combining": "a" + "\u0301" * 5000,
        "zero width": "\u200b\ufeff",
        "emoji": "👩‍👩‍👧‍👦" * 50,
        "date": "2024-13-45T99:99:99Z",
        "uuid": "00000000-0000-0000-0000-000000000000",
        "path": "../../../../etc/passwd",
        "template": "{{7*7}}${7*7}<%=7*7%>",
        "sql": "'; DROP TABLE project; --",
        "html": "<script>alert(1)</script>",
        "many": ["x"] * 2000,
        "keys": {str(number): number for number in range(2000)},
        "proto": {"__proto__": {"admin": True}, "__class__": "x", "constructor": {}},
        "format": "%s%n{0.__class__}",
    }


def queries() -> list[str]:
    """Return query strings that lists have to take."""
    return [
        "limit=-1",
        "limit=0",
        "limit=1e9",
        "limit=99999999999999999999",
        "limit=%D9%A3",
        "limit=1&limit=2",
        "limit=",
        "cursor=x",
        "cursor=%00",
        "cursor=" + "A" * 5000,
        "cursor=WyJpZCIsIngiLCJ5Il0",
        "cursor=bnVsbA",
        "cursor=e30",
        "cursor=W10",
        "cursor=%FF%FE",
        "order=password",
        "order=--id",
        "order=-",
        "order=?",
        "order=project__name",
        "order=%00",
        "owner__password__startswith=a",
        "user__password__startswith=a",
        "project_id=x",
        "project_id=%00",
        "project=%27",
        "search=%00",
        "search=%F0%28%8C%28",
        "type=%ED%A0%80",
        "act=" + "x" * 4000,
        "actor_id=1",
        "object_id=%00x",
        "is_active=perhaps",
        "version_num=" + "9" * 400,
        "version_num=NaN",
        "workflow_id=%7B%7D",
        "status=%EF%BF%BE",
        "created_at=yesterday",
        "format=xml",
        "[]=1",
        "a[b][c]=1",
        "&&&&",
        "=",
        "%",
        "x" * 6000,
    ]


def headers() -> list[dict[str, str]]:
    """Return headers, in the form of the test client, that no answer of 500 may follow."""
    return [
        {"HTTP_AUTHORIZATION": "Bearer"},
        {"HTTP_AUTHORIZATION": "Bearer "},
        {"HTTP_AUTHORIZATION": "Bearer lsk_"},
        {"HTTP_AUTHORIZATION": "Bearer lsk_" + "x" * 10_000},
        {"HTTP_AUTHORIZATION": "Bearer lsk_\x00"},
        {"HTTP_AUTHORIZATION": "Bearer lsk_ü€"},
        {"HTTP_AUTHORIZATION": "Bearer lsk_\udcff"},
        {"HTTP_AUTHORIZATION": "Basic !!!"},
        {"HTTP_AUTHORIZATION": " "},
        {"HTTP_COOKIE": "sessionid=\x00; csrftoken=" + "x" * 5000},
        {"HTTP_COOKIE": "sessionid=" + "a" * 5000},
        {"HTTP_COOKIE": ";;;=;=="},
        {"HTTP_ACCEPT": "application/xml"},
        {"HTTP_ACCEPT": "a/b;q=x, */*;q=9"},
        {"HTTP_ACCEPT": "\xff"},
        {"HTTP_ACCEPT_LANGUAGE": "x" * 5000},
        {"HTTP_X_CSRFTOKEN": "\x00"},
        {"HTTP_X_FORWARDED_FOR": "'; --, " * 500},
        {"HTTP_X_HTTP_METHOD_OVERRIDE": "DELETE"},
        {"HTTP_IDEMPOTENCY_KEY": "x" * 5000},
        {"HTTP_IDEMPOTENCY_KEY": "a\x00b"},
        {"HTTP_HOST": "evil.example"},
        {"HTTP_HOST": "a b"},
        {"CONTENT_LENGTH": "-1"},
        {"CONTENT_LENGTH": "abc"},
        {"CONTENT_LENGTH": ""},
        {"CONTENT_LENGTH": "0"},
        {"HTTP_TRANSFER_ENCODING": "chunked, chunked"},
        {"HTTP_CONTENT_ENCODING": "gzip"},
        {"HTTP_IF_NONE_MATCH": '"' * 100},
        {"HTTP_RANGE": "bytes=0-,0-,0-"},
    ]


def paths() -> list[str]:
    """Return addresses under a resource that name no row."""
    return [
        "%00/",
        "%FF%FE/",
        "..%2f..%2fetc%2fpasswd/",
        "-" * 36 + "/",
        "-" * 32 + "/",
        "0" * 32 + "/",
        "f" * 36 + "/",
        "00000000-0000-0000-0000-000000000000/",
        "x" * 3000 + "/",
        "%F0%9F%92%A9/",
        "1/",
        "null/",
        "{id}/",
        "%7B%7B7*7%7D%7D/",
        "%0d%0aSet-Cookie:%20a=b/",
    ]


def _encodings() -> dict[str, bytes]:
    text = '{"name": "Zoë 👩‍👩‍👧", "steps": []}'
    found = {
        name: text.encode(name) for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7")
    }
    return found | {
        "utf-8 mark": b"\xef\xbb\xbf" + text.encode(),
        "two marks": b"\xef\xbb\xbf\xef\xbb\xbf{}",
        "mark alone": b"\xef\xbb\xbf",
        "latin-1": '{"name": "Zoë"}'.encode("latin-1"),
        "overlong": b'{"name": "\xc0\xaf"}',
        "cut character": b'{"name": "\xf0\x9f\x92"}',
        "beyond unicode": b'{"name": "\xf5\x80\x80\x80"}',
        "encoded surrogate": b'{"name": "\xed\xa0\x80"}',
        "gzip": gzip.compress(text.encode()),
        "random": bytes(range(256)) * 8,
        "NULs": b"\x00" * 100,
        "NUL inside": b'{"name": "a\x00b"}',
        "NUL behind": b"{}\x00",
    }


def _broken() -> dict[str, bytes]:
    texts = """{ | } | [ | ] | {] | [} | {"a" | {"a": | {"a":1 | {"a":1,} | [1,] | [,] | {,} | "
        | "a | 'a' | {'a': 1} | {a: 1} | // x | /* x */ {} | {} {} | {}x | nul | tru | True | None
        | undefined | 01 | 1. | .5 | +1 | - | 1e | 1e+ | 0x10 | 1_000 | "\\" | "\\x41" | "\\u12"
        | "\\ud800" | {"name": "\\ud800"} | {"name": "\\udc00\\ud800"} | {"\\ud800": 1}
        | {"name": "\\u0000"} | {"\\u0000": 1} | <xml/> | name=x | ---\\na: 1 | {"a":1}}}}}
        | {"a":1,"a":2} | {"":1} | [1 2] | {"a" 1} | {"a"::1} | \\ | % | {{7*7}} | ${7*7}"""
    found = {f"broken {text.strip()}": text.strip().encode() for text in texts.split("|")}
    return found | {
        "empty": b"",
        "blank": b" \n\t ",
        "newline in text": b'{"name": "a\nb"}',
        "control in text": b'{"name": "a\x01b"}',
    }


def _numbers() -> dict[str, bytes]:
    texts = [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "-1e400",
        "1e-400",
        "-0",
        "1E309",
        str(2**63),
        str(-(2**63) - 1),
        str(2**64),
        "9" * 5000,
        "-" + "9" * 5000,
        "0." + "9" * 5000,
        "1e" + "9" * 400,
    ]
    return {f"number {text[:12]}": f'{{"name": {text}}}'.encode() for text in texts}


def _shapes() -> dict[str, bytes]:
    values: list[Any] = [None, True, False, 0, 1.5, "", "x", [], [{}], [[]], {"": {}}, ["x"] * 9]
    found = {f"shape {json.dumps(value)[:20]}": json.dumps(value).encode() for value in values}
    for depth in (65, 1000, 100_000):
        found[f"lists {depth} deep"] = b"[" * depth + b"]" * depth
        found[f"objects {depth} deep"] = b'{"a":' * depth + b"1" + b"}" * depth
        found[f"open lists {depth} deep"] = b"[" * depth
        found[f"field {depth} deep"] = b'{"name":' + b"[" * depth + b"]" * depth + b"}"
    found["brackets in text"] = json.dumps({"name": "[" * 10_000}).encode()
    found["many keys"] = json.dumps({f"k{number}": number for number in range(20_000)}).encode()
    found["many items"] = json.dumps(list(range(20_000))).encode()
    return found


def _sizes() -> dict[str, bytes]:
    return {
        "text of 1 MB": json.dumps({"name": "x" * 1_000_000}).encode(),
        "at the limit": b'{"name": "' + b"x" * (LIMIT - 12) + b'"}',
        "over the limit": b'{"name": "' + b"x" * (LIMIT - 11) + b'"}',
        "blanks over the limit": b" " * (LIMIT + 1),
        "twice the limit": b"[" + b"1," * LIMIT + b"1]",
    }


def _content_types() -> Iterator[Hostile]:
    good = b'{"name": "x"}'
    form = b"&".join(b"a%d=1" % number for number in range(2000))
    part = (
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="../../x"\r\n\r\nx\r\n--b--\r\n'
    )
    cases: list[tuple[str, bytes]] = [
        ("", good),
        ("/", good),
        ("*/*", good),
        ("text/plain", good),
        ("text/html", good),
        ("application/*", good),
        ("application/xml", b'<!DOCTYPE x [<!ENTITY a "a">]><x>&a;</x>'),
        ("application/yaml", b"!!python/object/apply:os.system ['id']"),
        ("application/octet-stream", b"\x80\x04."),
        ("application/x-python-pickle", b"cos\nsystem\n(S'id'\ntR."),
        ("application/json; charset=utf-16", good),
        ("application/json; charset=unicorn", good),
        ("application/json;" + "x" * 5000, good),
        ("application/json, text/html", good),
        ("APPLICATION/JSON", good),
        ("application/problem+json", good),
        ("application/x-www-form-urlencoded", b"name=x&steps=[]"),
        ("application/x-www-form-urlencoded", form),
        ("application/x-www-form-urlencoded; charset=utf-7", b"%FF=%00"),
        ("multipart/form-data", good),
        ("multipart/form-data; boundary=", good),
        ("multipart/form-data; boundary=b", part),
        ("multipart/form-data; boundary=b", part[:40]),
        ("multipart/form-data; boundary=b", good),
        ("multipart/form-data; boundary=" + "b" * 5000, part),
        ("multipart/form-data; boundary=\xff", part),
        ("multipart/mixed; boundary=b", part),
        ("image/png", b"\x89PNG\r\n\x1a\n"),
    ]
    for number, (kind, body) in enumerate(cases):
        yield f"content type {number} {kind[:40]}", body, kind
