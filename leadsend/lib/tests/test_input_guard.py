from __future__ import annotations

import json

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from leadsend.lib.errors import InputTooLarge, UnreadableInput
from leadsend.lib.input_guard import MAX_DEPTH, clean_text, parse_json

_LEAF = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
_JSON = st.recursive(
    _LEAF, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)

HOSTILE = [
    b"",
    b" ",
    b"{",
    b"[1,]",
    b'{"a":1,}',
    b"{'a':1}",
    b"{a:1}",
    b"NaN",
    b"-NaN",
    b"[Infinity]",
    b'{"a":-Infinity}',
    b"1e400",
    b'{"a":-1e999999}',
    b"9223372036854775808",
    b"-9223372036854775809",
    b"1" * 5000,
    b"[" + b"1" * 100_000 + b"]",
    b"01",
    b"+1",
    b"1.",
    b".5",
    b"0x10",
    b'"a\nb"',
    b'"a\x00b"',
    b'"\\x41"',
    b'"\\u12"',
    b'"open',
    b'"open\\',
    b"\\",
    b"'single'",
    b'{"a" "b"}',
    b"[1 2]",
    b"true false",
    b"/* comment */ 1",
    b"1 // comment",
    b"\xff\xfe[\x001\x00]\x00",
    b"\x00\x00\x00[",
    '{"a":1}'.encode("utf-16"),
    '{"a":1}'.encode("utf-32"),
    b'"\xff"',
    b'"\xc0\x80"',
    b'"\xed\xa0\x80"',
    b'"\xf4\x90\x80\x80"',
    b"\x1f\x8b\x08\x00gzip",
    b"a=1&b=2",
    b"<xml/>",
    b"---\na: 1\n",
    b"undefined",
    b"None",
    b"True",
    b"[" * 65 + b"]" * 65,
    b'{"a":' * 65 + b"1" + b"}" * 65,
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b"]" * 1000,
    b'{"a":' * 100_000,
    b"[[]" * 10_000,
    b"\\" + b'"' * 99_999 + b"[" * 100,
]


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: repr(body[:24]))
def test_what_is_no_json_is_refused_with_a_sentence(body):
    with pytest.raises(UnreadableInput) as refusal:
        parse_json(body)

    assert refusal.value.http_status == 400
    assert len(refusal.value.message) > 20


def test_the_size_is_checked_first_and_to_the_byte():
    body = b'"' + b"a" * 98 + b'"'

    assert parse_json(body, max_bytes=100) == "a" * 98
    with pytest.raises(InputTooLarge, match="101 bytes"):
        parse_json(b"[" * 101, max_bytes=100)


def test_nesting_up_to_the_limit_is_accepted():
    deepest = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH

    assert json.dumps(parse_json(deepest)).encode() == deepest


def test_brackets_in_text_do_not_count_as_nesting():
    text = "[{" * 500 + '\\"' + "[" * 500

    assert parse_json(json.dumps({"a": text, "b": [[]] * 100}).encode())["a"] == text


def test_many_brackets_side_by_side_are_not_deep():
    assert parse_json(b"[" + b'{"a":[]},' * 1000 + b"[]]")[-1] == []


def test_nul_and_lone_surrogates_are_replaced_in_values_and_keys():
    body = rb'{"a\u0000b": ["\ud800x", "\udc00", "\ud83d\ude00", {"\udfff": "c\u0000"}]}'

    assert parse_json(body) == {
        "a\ufffdb": ["\ufffdx", "\ufffd", "\U0001f600", {"\ufffd": "c\ufffd"}]
    }


def test_of_two_equal_keys_the_last_counts():
    assert parse_json(b'{"a":1,"a":2}') == {"a": 2}


def test_a_byte_order_mark_is_ignored():
    assert parse_json(b"\xef\xbb\xbf[1]") == [1]


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 10**18, 1.5, 1e308, -0.0])
def test_numbers_within_their_kind_come_through_exactly(number):
    assert parse_json(json.dumps([number]).encode()) == [number]


def test_a_long_decimal_is_rounded_like_any_double():
    assert parse_json(b"[99999999999999999999.0, 0.1000000000000000055511]") == [1e20, 0.1]


@given(_JSON)
def test_ordinary_json_comes_through_as_the_standard_library_reads_it(value):
    body = json.dumps(value).encode()
    plain = json.dumps(value, ensure_ascii=False).encode()

    assert parse_json(body) == _cleaned(json.loads(body))
    assert parse_json(plain) == _cleaned(json.loads(plain))


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_a_refusal(body):
    try:
        value = parse_json(body)
    except UnreadableInput:
        return

    json.dumps(value, allow_nan=False).encode()


@given(st.text(alphabet='[]{}",:\\u0d8 1eE.-', max_size=60))
def test_bytes_that_look_like_json_give_a_value_or_a_refusal(text):
    try:
        value = parse_json(text.encode())
    except UnreadableInput:
        return

    json.dumps(value, allow_nan=False).encode()


@given(st.text(alphabet=st.characters(codec=None)))
def test_cleaned_text_is_utf8_without_nul(text):
    cleaned = clean_text(text)

    assert "\x00" not in cleaned
    assert len(cleaned) == len(text)
    cleaned.encode()


@pytest.mark.django_db
def test_whatever_is_accepted_can_be_stored_as_jsonb():
    accepted = [parse_json(body) for body in ODD_BUT_ACCEPTED]
    with connection.cursor() as cursor:
        stored = [_round_trip(cursor, value) for value in accepted]

    assert stored == accepted


ODD_BUT_ACCEPTED = [
    rb'"\u0000"',
    rb'{"\u0000": "\ud800"}',
    b"null",
    b"1e308",
    b"5e-324",
    b"9223372036854775807",
    b"[" * 64 + b"]" * 64,
    b'""',
    b'{"": {"": ""}}',
    b'"\xf0\x9f\x98\x80"',
    rb'"\uffff\ufffe\u202e\u0007"',
    ('"' + "a" + "\u0301" * 5000 + '"').encode(),
    b'{"a":1,"a":2}',
]


def _round_trip(cursor, value):
    cursor.execute("SELECT (%s::jsonb)::text", [json.dumps(value)])
    return json.loads(cursor.fetchone()[0], parse_int=_as_written)


def _as_written(digits):
    # jsonb shows 1e308 with all its digits.
    return int(digits) if len(digits) < 20 else float(digits)


def _cleaned(value):
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {clean_text(key): _cleaned(item) for key, item in value.items()}
    return value
