"""The rules of registry.sdk.checks, tried on contracts that are above it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from registry.actions.set_fields import SET_FIELDS
from registry.credential_types.web import BEARER
from registry.sdk.action import Delivery
from registry.sdk.checks import action_problems, credential_type_problems, trigger_problems
from registry.trigger_types.manual import MANUAL


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"key": "Set-Fields"}, "key"),
        ({"title": " "}, "title is empty"),
        ({"description": "Writes JSON"}, "'JSON'"),
        ({"sentence": "Sets {nonsense}"}, "no field"),
        ({"example": {"fields": []}}, "example does not fit"),
        ({"sample_output": []}, "sample_output does not fit"),
        ({"output_schema": {"type": "nonsense"}}, "output_schema is no JSON Schema"),
        ({"pretend": lambda inputs: 5}, "the pretended answer does not fit"),
        ({"delivery": Delivery.AT_LEAST_ONCE}, "pure action"),
        ({"aliases": ("A b",)}, "alias"),
        ({"config_schema": {"type": "object"}}, "closed object"),
        (
            {"config_schema": {"type": "object", "additionalProperties": False, "properties": {"a": {"enum": ["x"]}}}},
            "choices without x-labels",
        ),
    ],
)  # fmt: skip
def test_each_fault_of_a_contract_is_found(change, problem):
    assert action_problems(SET_FIELDS) == []

    found = action_problems(replace(SET_FIELDS, **change))

    assert any(problem in text for text in found), found


def test_a_contact_is_a_path_of_the_event():
    assert trigger_problems(replace(MANUAL, contact={"email": "request.ip"})) != []


def test_a_secret_field_is_drawn_as_secret():
    assert credential_type_problems(replace(BEARER, secret_fields=("allowed_hosts",))) != []
    assert credential_type_problems(replace(BEARER, secret_fields=())) != []
