"""Turns every error into one shape: ``{"code", "message", "problems": [Problem]}``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.core import exceptions as core
from django.db import DataError, InterfaceError, OperationalError
from django.db.models import ProtectedError
from django.http import Http404
from django.http.multipartparser import MultiPartParserError
from rest_framework import exceptions as rest
from rest_framework.response import Response

from leadsend.lib import errors
from leadsend.lib.errors import LeadSendError, Problem
from leadsend.lib.input_guard import clean_text

_CODES = {
    400: "invalid",
    401: "not_authenticated",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    415: "unsupported_content_type",
    429: "too_many_requests",
}


def answer_with_envelope(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer to an error; None lets an unforeseen one become a 500 with its traceback."""
    return _answer(error)


def envelope(code: str, message: str, problems: list[Problem] | tuple[Problem, ...] = ()) -> Any:
    """Return the body of an error's answer."""
    return {
        "code": code,
        "message": clean_text(message),
        "problems": [_clean(problem) for problem in problems],
    }


def _answer(error: Exception) -> Response | None:
    if isinstance(error, rest.APIException):
        return _of_framework(error)
    known = _translated(error)
    return _of_ours(known) if known is not None else None


def _of_ours(error: LeadSendError) -> Response:
    wait = getattr(error, "retry_after_s", None)
    headers = {"Retry-After": str(int(wait))} if wait is not None else None
    body = envelope(error.code, error.message, error.problems)
    return Response(body, status=error.http_status, headers=headers)


def _of_framework(error: rest.APIException) -> Response:
    problems: list[Problem] = []
    if isinstance(error, rest.ValidationError):
        problems = list(_problems(error.detail, ""))
        message = problems[0].message if problems else "The input cannot be accepted."
        if problems and problems[0].path:
            message = f"{problems[0].path.lstrip('/')}: {message}"
    else:
        message = str(error.detail)
    code = _CODES.get(error.status_code, str(error.default_code))
    return Response(
        envelope(code, message, problems), status=error.status_code, headers=_headers(error)
    )


def _headers(error: rest.APIException) -> dict[str, str]:
    headers = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = str(error.auth_header)  # type: ignore[attr-defined]  # set by the view
    wait = getattr(error, "wait", None)
    if wait:
        headers["Retry-After"] = str(int(wait))
    return headers


def _problems(detail: Any, path: str) -> Iterator[Problem]:
    """Yield the leaves of the framework's nested details, each with its JSON pointer."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            here = path if name == "non_field_errors" else f"{path}/{_escaped(str(name))}"
            yield from _problems(inner, here)
    elif isinstance(detail, list):
        leaves = all(not isinstance(inner, dict | list) for inner in detail)
        for at, inner in enumerate(detail):
            yield from _problems(inner, path if leaves else f"{path}/{at}")
    else:
        yield Problem(code=str(getattr(detail, "code", "invalid")), message=str(detail), path=path)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _translated(error: Exception) -> LeadSendError | None:
    """Return our error for one of Django's or the database's, or None for an unforeseen one."""
    if isinstance(error, LeadSendError):
        return error
    for kinds, make in _TRANSLATIONS:
        if isinstance(error, kinds):
            return make(error)
    return None


def _invalid(error: Exception) -> LeadSendError:
    messages = getattr(error, "messages", None)
    return errors.InvalidInput(" ".join(messages) if messages else "The input cannot be accepted.")


_TRANSLATIONS: tuple[tuple[tuple[type[Exception], ...], Callable[[Any], LeadSendError]], ...] = (
    ((Http404, core.ObjectDoesNotExist), lambda error: errors.NotFound("There is no such object.")),
    ((core.PermissionDenied,), lambda error: errors.NotAllowed("You may not do this here.")),
    (
        (core.RequestDataTooBig,),
        lambda error: errors.InputTooLarge("The body is larger than what is accepted here."),
    ),
    ((core.ValidationError,), _invalid),
    (
        (core.SuspiciousOperation, core.BadRequest, MultiPartParserError),
        lambda error: errors.UnreadableInput("The request cannot be read."),
    ),
    (
        (DataError,),
        lambda error: errors.InvalidInput("A value does not fit into the field it is meant for."),
    ),
    (
        (ProtectedError,),
        lambda error: errors.Conflict("This is still in use: take it out there first."),
    ),
    (
        (OperationalError, InterfaceError),
        lambda error: errors.Unavailable("The database is away; try again in a moment."),
    ),
)


def _clean(problem: Problem) -> dict[str, str | None]:
    shape = problem.as_json()
    return {name: clean_text(text) if text else text for name, text in shape.items()}
