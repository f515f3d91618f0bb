from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.sdk.sentences import fields_of, humanised, render_sentence

CASES = json.loads((Path(__file__).parents[3] / "conformance" / "sentences.json").read_text())[
    "cases"
]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_sentences_are_the_same_everywhere(case):
    assert render_sentence(case["pattern"], case["settings"], case["schema"]) == case["sentence"]


@given(_JSON)
def test_any_setting_gives_one_line(value):
    sentence = render_sentence("Sends[ {to}] now", {"to": value}, {"properties": {"to": {}}})

    assert sentence.startswith("Sends")
    assert sentence.endswith(" now")
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("path", "words"),
    [("event.email", "Email"), ("event.new.first_name", "First name"), ("item", "Item"), ("", "")],
)
def test_a_path_reads_as_its_last_name(path, words):
    assert humanised(path) == words


def test_the_fields_of_a_pattern_are_found():
    assert fields_of("{a} and[ {b_2}]") == ["a", "b_2"]
