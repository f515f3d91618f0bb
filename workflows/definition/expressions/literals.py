"""What the literals of expressions stand for. Each function raises ValueError with a sentence."""

from __future__ import annotations

import math
import re

_ESCAPE = re.compile(
    r"\\(?:(?P<one>[abfnrtv\\?\"'`])"
    r"|[xX](?P<hex>[0-9a-fA-F]{2})"
    r"|u(?P<short>[0-9a-fA-F]{4})"
    r"|U(?P<long>[0-9a-fA-F]{8})"
    r"|(?P<octal>[0-3][0-7]{2})"
    r"|(?P<bad>[\s\S]?))"
)
_ONE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
MAX_DIGITS = 20


def int_of(written: str) -> int:
    """Return a whole number; 2**63 is let through for the sign that may stand before it."""
    base = 16 if written[:2].lower() == "0x" else 10
    value = int(written, base) if len(written) <= MAX_DIGITS else 2**64
    if value > 2**63:
        raise ValueError("This number is too large")
    return value


def float_of(written: str) -> float:
    """Return a decimal number."""
    value = float(written)
    if math.isinf(value):
        raise ValueError("This number is too large")
    return value


def text_of(written: str) -> str:
    """Return the text between the quotes, with its escapes replaced."""
    raw = written[0] in "rR"
    body = written[1:] if raw else written
    quotes = 3 if len(body) >= 6 and body[:3] in {'"""', "'''"} else 1
    body = body[quotes:-quotes]
    return body if raw or "\\" not in body else _ESCAPE.sub(_unescape, body)


def _unescape(found: re.Match[str]) -> str:
    one, octal = found["one"], found["octal"]
    if one is not None:
        return _ONE.get(one, one)
    if octal is not None:
        return chr(int(octal, 8))
    digits = found["hex"] or found["short"] or found["long"]
    if digits is None:
        raise ValueError(f"There is no escape `{found[0]}`; a backslash is written twice")
    code = int(digits, 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise ValueError(f"`{found[0]}` is no character")
    return chr(code)
