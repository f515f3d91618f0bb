"""Every foreseen error has the envelope and its status; an unforeseen one stays an error."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import exceptions as core
from django.db import DataError, OperationalError
from django.http import Http404
from rest_framework import exceptions as rest

from leadsend.lib import errors
from leadsend.lib.errors import Problem
from leadsend.lib.rest.envelope import answer_with_envelope

CASES = [
    (errors.NotFound("x"), 404, "not_found"),
    (errors.Conflict("x"), 409, "conflict"),
    (errors.PermanentError("x"), 400, "permanent"),
    (Http404(), 404, "not_found"),
    (core.PermissionDenied(), 403, "not_allowed"),
    (core.ValidationError("x"), 400, "invalid"),
    (core.RequestDataTooBig(), 413, "too_large"),
    (core.SuspiciousOperation(), 400, "unreadable"),
    (DataError(), 400, "invalid"),
    (OperationalError(), 503, "unavailable"),
    (rest.NotAuthenticated(), 401, "not_authenticated"),
    (rest.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
    (rest.UnsupportedMediaType("x"), 415, "unsupported_content_type"),
    (rest.Throttled(wait=2.5), 429, "too_many_requests"),
]


@pytest.mark.parametrize(("error", "status", "code"), CASES)
def test_a_foreseen_error_has_its_status_and_code(error, status, code):
    answer = _answer(error, {})

    assert (answer.status_code, answer.data["code"]) == (status, code)
    assert set(answer.data) == {"code", "message", "problems"}


def test_an_unforeseen_error_is_left_to_be_logged():
    assert answer_with_envelope(RuntimeError("a bug"), {}) is None


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (errors.TooManyRequests("x", retry_after_s=7), "7"),
        (errors.Unavailable("x"), "5"),
        (rest.Throttled(wait=2.5), "3"),
    ],
)
def test_the_wait_is_in_a_header(error, seconds):
    assert _answer(error, {})["Retry-After"] == seconds


def test_nested_details_become_pointers():
    detail: Any = {"steps": [{}, {"cfg": {"a/b": ["Too long."]}}], "non_field_errors": ["No."]}

    answer = _answer(rest.ValidationError(detail), {})

    assert [(item["path"], item["message"]) for item in answer.data["problems"]] == [
        ("/steps/1/cfg/a~1b", "Too long."),
        ("", "No."),
    ]


def test_texts_that_cannot_be_written_are_cleaned():
    error = errors.InvalidInput("a\ud800", problems=[Problem(code="x", message="b\x00", path="/c")])

    answer = _answer(error, {})

    assert answer.data["message"] == "a\ufffd"
    assert answer.data["problems"][0]["message"] == "b\ufffd"


def _answer(error, context):
    answer = answer_with_envelope(error, context)
    assert answer is not None
    return answer
