"""The one door for JSON from outside: what it returns can be stored as jsonb, or it raises."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import orjson

from leadsend.lib.errors import InputTooLarge, UnreadableInput

MAX_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 64
SMALLEST_INTEGER = -(2**63)
LARGEST_INTEGER = 2**63 - 1

_UTF8_BOM = b"\xef\xbb\xbf"
# Possessive, and an open string matches to the end: one pass, whatever the bytes are.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))
# orjson makes a float of an integer beyond 64 bits, which has at least this many digits.
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def parse_json(body: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """Return the JSON value in ``body`` (UTF-8), cleaned so that PostgreSQL can store it.

    NUL and lone surrogates become U+FFFD; of two equal keys the last one counts. Raises
    InputTooLarge above ``max_bytes``; UnreadableInput for bytes that are no JSON, nesting deeper
    than ``max_depth``, NaN, Infinity, and numbers beyond a double or a signed 64-bit integer.
    """
    if len(body) > max_bytes:
        raise InputTooLarge(f"The body has {len(body)} bytes; at most {max_bytes} are accepted.")
    body = body.removeprefix(_UTF8_BOM)
    _check_depth(body, max_depth)
    if _LONG_NUMBER.search(body):
        return _parse_carefully(body)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _parse_carefully(body)
    return _clean(value) if b"\\u0000" in body else value


def clean_text(text: str) -> str:
    """Return the text with NUL and lone surrogates, which PostgreSQL refuses, as U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def _check_depth(body: bytes, max_depth: int) -> None:
    """Refuse deep nesting before a parser sees it: each pass takes the innermost brackets away."""
    if body.count(b"[") + body.count(b"{") <= max_depth:
        return
    rest = _STRING.sub(b"", body).translate(_BRACKETS, _NOT_BRACKETS)
    for _ in range(max_depth):
        if b"[" * (max_depth + 1) in rest:
            break
        rest = rest.replace(b"[]", b"")
        if not rest:
            return
    raise UnreadableInput(
        f"The JSON is nested deeper than {max_depth} levels, or its brackets do not match."
    )


def _parse_carefully(body: bytes) -> Any:
    """Parse with the standard library, which tells what is wrong and lets numbers be checked."""
    try:
        text = body.decode("utf-8")
        value = json.loads(
            text, parse_int=_integer, parse_float=_number, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError as error:
        raise UnreadableInput(f"The body is not UTF-8: bad byte at {error.start}.") from error
    except json.JSONDecodeError as error:
        raise UnreadableInput(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from error
    return _clean(value)


def _integer(digits: str) -> int:
    # The length first: Python refuses to convert thousands of digits, and it is slow.
    value = int(digits) if len(digits) <= 20 else LARGEST_INTEGER + 1
    if SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
        return value
    raise UnreadableInput(
        f"The whole number {digits[:24]}… does not fit into 64 bits; send it as text."
    )


def _number(digits: str) -> float:
    value = float(digits)
    if math.isfinite(value):
        return value
    raise UnreadableInput(f"The number {digits[:24]} is too large; send it as text.")


def _refuse_constant(name: str) -> float:
    raise UnreadableInput(f"{name} is not a number in JSON; send null or text.")


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {clean_text(key): _clean(item) for key, item in value.items()}
    return value
