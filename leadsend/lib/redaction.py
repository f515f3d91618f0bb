"""Takes secrets out of what is logged, stored or shown: by value first, by name as well.

The vault registers every value that it decrypts; from then on the value is replaced wherever it
turns up in the same scope (one step, one request: ``forgetting_secrets``), also inside longer text
and in the forms that encoders make of it. Tasks and threads started inside a scope share it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "••••"
SHORTEST_SECRET = 4

_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)?$|secret|token$|api[-_]?key|private[-_]?key|authorization|cookie"
    r"|signature$|credential(?!_id|_type)|^dsn$",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Scope:
    """The secrets of one scope, longest first: one that contains another is replaced whole."""

    secrets: tuple[str, ...] = ()


_scope: ContextVar[_Scope | None] = ContextVar("leadsend_secrets", default=None)


def register_secrets(values: Iterable[str]) -> None:
    """Remember secret values for the current scope; values under 4 characters are left out.

    A value that short is not a secret, and would blacken ordinary text.
    """
    scope = _scope.get()
    if scope is None:
        scope = _Scope()
        _scope.set(scope)
    forms = {form for value in values for form in _forms(value)}
    scope.secrets = tuple(sorted(forms | set(scope.secrets), key=len, reverse=True))


@contextmanager
def forgetting_secrets() -> Iterator[None]:
    """Forget on leaving what was registered inside; wrap one step or one request in it."""
    outer = _scope.get()
    token = _scope.set(_Scope(outer.secrets if outer else ()))
    try:
        yield
    finally:
        _scope.reset(token)


def redact_text(text: str) -> str:
    """Return the text with every registered secret replaced."""
    for secret in _known():
        if secret in text:
            text = text.replace(secret, MASK)
    return text


def redact(value: Any) -> Any:
    """Return JSON with registered secrets replaced in texts and keys; the input is not changed."""
    return _redacted(value) if _known() else value


def redact_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return log fields: secrets by value, and whatever stands under the name of a secret."""
    return {key: _masked_by_name(key, value) for key, value in fields.items()}


def is_secret_name(name: str) -> bool:
    """Return whether a field of this name is expected to hold a secret."""
    return bool(_SECRET_NAME.search(name))


def _known() -> tuple[str, ...]:
    scope = _scope.get()
    return scope.secrets if scope else ()


def _masked_by_name(key: str, value: Any) -> Any:
    if is_secret_name(key) and value not in (None, "", False, True):
        return MASK
    if isinstance(value, Mapping):
        return redact_fields(value)
    if isinstance(value, list | tuple):
        return [_masked_by_name("", item) for item in value]
    return redact_text(value) if isinstance(value, str) else value


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {redact_text(key): _redacted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(item) for item in value]
    return value


def _forms(value: str) -> set[str]:
    """Return the secret and what encoders make of it: URL, JSON, base64."""
    if len(value) < SHORTEST_SECRET:
        return set()
    encoded = base64.b64encode(value.encode("utf-8", "replace")).decode().rstrip("=")
    escaped = json.dumps(value)[1:-1]
    plain = json.dumps(value, ensure_ascii=False)[1:-1]
    return {value, quote(value, safe=""), quote_plus(value), escaped, plain, encoded}
