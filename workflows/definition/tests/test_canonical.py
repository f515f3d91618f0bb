from __future__ import annotations

import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadsend.lib.errors import InvalidInput, UnreadableInput
from workflows.definition import canonical, defaults
from workflows.definition.tests.strategies import documents, json_values, shuffled


@given(documents())
def test_the_canonical_form_is_stable(document):
    once = canonical.dump(document)

    assert canonical.dump(canonical.load(once)) == once


@given(documents(), st.randoms(use_true_random=False))
def test_the_order_of_keys_changes_no_byte(document, random):
    assert canonical.dump(shuffled(document, random)) == canonical.dump(document)


@given(json_values())
def test_canonical_json_reads_back_as_the_same_value(value):
    assert json.loads(canonical.dump_json(value)) == value


def test_defaults_are_left_out_and_filled_in_again():
    data = canonical.dump(
        {
            "name": "A",
            "description": "",
            "settings": {"timezone": "UTC"},
            "steps": [{"id": "a", "kind": "end", "cfg": {}, "title": "", "join": "all"}],
            "edges": [{"from": "a", "to": "b", "branch_key": "default"}],
        }
    )

    assert data == (
        b'{"edges":[{"from":"a","to":"b"}],"format":1,"name":"A","steps":[{"id":"a","kind":"end"}]}'
    )
    assert canonical.load(data)["edges"] == [{"from": "a", "to": "b", "branch_key": "default"}]
    assert canonical.load(data)["variables"] == []


def test_false_and_zero_are_not_the_same_default():
    document = {"name": "A", "variables": [{"key": "x", "type": "text", "secret": 0}]}

    assert canonical.load(canonical.dump(document))["variables"][0]["secret"] == 0
    assert b'"secret":0' in canonical.dump(document)


def test_keys_are_sorted_by_utf16_code_units():
    # The example of RFC 8785, 3.2.3: the emoji is a surrogate pair and sorts before U+FB33.
    value = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\xf6": 7}

    assert list(json.loads(canonical.dump_json(value)).values()) == [2, 4, 6, 7, 1, 5, 3]


@pytest.mark.parametrize(
    ("bits", "text"),
    [  # RFC 8785, appendix B
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_numbers_are_written_as_rfc_8785_says(bits, text):
    assert canonical.write_number(struct.unpack(">d", bytes.fromhex(bits))[0]) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_reads_back_as_itself(number):
    assert float(canonical.write_number(number)) == number


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (2**53 + 1, "number_too_large"),
        (-(2**60), "number_too_large"),
        (1e17, "number_too_large"),
        (math.nan, "number_not_finite"),
        (-math.inf, "number_not_finite"),
        ("\ud800", "lone_surrogate"),
        ("a\x00", "nul_character"),
        ({"\udfff": 1}, "lone_surrogate"),
        ({1: 1}, "not_json"),
        (b"bytes", "not_json"),
    ],
)
def test_what_other_programs_would_read_differently_is_refused(value, code):
    with pytest.raises(InvalidInput) as refusal:
        canonical.dump({"name": "A", "description": value})

    assert [problem.code for problem in refusal.value.problems] == [code]
    assert refusal.value.problems[0].path == "/description"


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        '{"a": 1e400}',
        '{"a": 9007199254740993}',
        '{"a": ' + "9" * 5000 + "}",
        '{"a": "\\ud800"}',
        "[" * 100_000,
        "[" * 80 + "]" * 80,
        "{",
        "",
        b"\xff\xfe",
    ],
)
def test_text_that_is_no_sound_json_is_refused_with_a_sentence(text):
    with pytest.raises(InvalidInput, match=r"\.$"):
        canonical.load_json(text)


def test_a_document_is_an_object():
    with pytest.raises(InvalidInput, match="JSON object"):
        canonical.load("[]")


def test_a_repeated_key_is_named():
    with pytest.raises(UnreadableInput, match="“name” stands twice"):
        canonical.load('{"name": "a", "name": "b"}')


def test_the_hash_is_that_of_the_bytes():
    document = {"name": "A"}

    assert canonical.content_hash(document) == canonical.hash_of(b'{"format":1,"name":"A"}')
    assert defaults.fill(document)["format"] == 1
