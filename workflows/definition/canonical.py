"""The canonical form of a document: two documents are equal if and only if their bytes are.

Keys are sorted by UTF-16 code units and numbers written as ECMAScript does (RFC 8785), text is
UTF-8, there is no insignificant space, and whatever equals its default is left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, NoReturn

from leadsend.lib.errors import InvalidInput, Problem, UnreadableInput
from workflows.definition import defaults, pointer

MAX_DEPTH = 64
MAX_NUMBER = 2**53
_SHOWN_PROBLEMS = 20


def dump(document: Mapping[str, Any]) -> bytes:
    """Return the canonical bytes of a document, defaults left out.

    Raises InvalidInput with one problem for each value that has no canonical form.
    """
    return dump_json(defaults.strip(_representable(document)))


def dump_json(value: Any) -> bytes:
    """Return the canonical bytes of any JSON value, nothing left out. Raises InvalidInput."""
    return _text(_representable(value)).encode()


def content_hash(document: Mapping[str, Any]) -> str:
    """Return the sha-256 of the canonical bytes, as 64 hex digits."""
    return hash_of(dump(document))


def hash_of(data: bytes) -> str:
    """Return the sha-256 of canonical bytes, as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def load(data: bytes | str) -> dict[str, Any]:
    """Read a document strictly and return it in full form (defaults filled in).

    Refuses what JSON readers disagree about: repeated keys, NaN, numbers out of range, lone
    surrogates, bytes that are not UTF-8. A document of another format comes back as it is. Raises
    UnreadableInput or InvalidInput.
    """
    value = load_json(data)
    if not isinstance(value, dict):
        raise InvalidInput("A workflow document is a JSON object: write {…} around it.")
    # Today's defaults mean nothing in an older format: upgrades.read lifts it first.
    return defaults.fill(value) if value.get("format", 1) == defaults.FORMAT else value


def load_json(data: bytes | str) -> Any:
    """Read one JSON value with the same strictness. Raises UnreadableInput or InvalidInput."""
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_int=_whole,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        raise UnreadableInput(f"The text is not UTF-8 (byte {error.start}).") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise UnreadableInput(f"This is not JSON: {error.msg} at {where}.") from error
    except RecursionError as error:
        raise UnreadableInput(f"The JSON is nested deeper than {MAX_DEPTH} levels.") from error
    return _representable(value)


def find_problems(value: Any) -> Iterator[Problem]:
    """Yield a problem for each part of a value that canonical JSON cannot express.

    Never raises and never recurses, whatever Python objects ``value`` is made of.
    """
    pending: list[tuple[Any, str, int]] = [(value, "", 1)]
    while pending:
        item, path, depth = pending.pop()
        if depth > MAX_DEPTH:
            message = f"This is nested deeper than {MAX_DEPTH} levels; make it flatter."
            yield Problem(code="too_deep", message=message, path=path)
        elif isinstance(item, dict):
            yield from _key_problems(item, path)
            children = (
                (v, pointer.join(path, _printable(str(k))), depth + 1) for k, v in item.items()
            )
            pending.extend(children)
        elif isinstance(item, list):
            pending.extend((v, pointer.join(path, i), depth + 1) for i, v in enumerate(item))
        else:
            yield from _scalar_problems(item, path)


def write_number(number: float) -> str:
    """Return a number as ECMAScript's Number::toString writes it (RFC 8785, 3.2.2.3)."""
    if isinstance(number, int):
        return str(number)
    if number == 0:
        return "0"
    sign = "-" if number < 0 else ""
    digits, exponent = _shortest(abs(number))
    return sign + _place_point(digits, exponent)


def _representable(value: Any) -> Any:
    problems = []
    for problem in find_problems(value):
        problems.append(problem)
        if len(problems) == _SHOWN_PROBLEMS:
            break
    if problems:
        raise InvalidInput(problems[0].message, problems=problems)
    return value


def _key_problems(item: dict[Any, Any], path: str) -> Iterator[Problem]:
    for key in item:
        if not isinstance(key, str):
            yield Problem(code="not_json", message=f"The key {key!r} must be text.", path=path)
        else:
            yield from _text_problems(key, path)


def _scalar_problems(item: Any, path: str) -> Iterator[Problem]:
    if item is None or isinstance(item, bool):
        return
    if isinstance(item, str):
        yield from _text_problems(item, path)
    elif isinstance(item, (int, float)):
        yield from _number_problems(item, path)
    else:
        message = f"A value of the kind {type(item).__name__} cannot be written as JSON."
        yield Problem(code="not_json", message=message, path=path)


def _number_problems(number: int | float, path: str) -> Iterator[Problem]:
    if isinstance(number, float) and not isfinite(number):
        message = "NaN and Infinity are not numbers of JSON; use null or text."
        yield Problem(code="number_not_finite", message=message, path=path)
    elif abs(number) > MAX_NUMBER:
        message = "Numbers beyond 2^53 are not exact in every program; write it as text."
        yield Problem(code="number_too_large", message=message, path=path)


def _text_problems(text: str, path: str) -> Iterator[Problem]:
    if "\x00" in text:
        message = "The text holds a NUL character, which no database keeps: remove it."
        yield Problem(code="nul_character", message=message, path=path)
    try:
        text.encode()
    except UnicodeEncodeError:
        message = "The text holds half of a character (a lone surrogate); remove or retype it."
        yield Problem(code="lone_surrogate", message=message, path=path)


def _printable(path: str) -> str:
    return path.encode("utf-8", "replace").decode()


def _text(value: Any) -> str:
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{_quote(key)}:{_text(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_text, value)) + "]"
    if isinstance(value, str):
        return _quote(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return write_number(value)


def _quote(text: str) -> str:
    # The escapes of json.dumps are those of RFC 8785: \" \\ \b \f \n \r \t and \u00xx.
    return json.dumps(text, ensure_ascii=False)


def _shortest(number: float) -> tuple[str, int]:
    """Return the shortest digits that read back as the number, and n of ECMAScript: 0.ddd x 10^n."""
    mantissa, _, power = f"{number!r}e0".partition("e")
    whole, _, fraction = mantissa.partition(".")
    exponent = int(power.partition("e")[0]) + len(whole)
    digits = whole + fraction
    leading = len(digits) - len(digits.lstrip("0"))
    return digits.strip("0"), exponent - leading


def _place_point(digits: str, exponent: int) -> str:
    count = len(digits)
    if count <= exponent <= 21:
        return digits + "0" * (exponent - count)
    if 0 < exponent <= 21:
        return f"{digits[:exponent]}.{digits[exponent:]}"
    if -6 < exponent <= 0:
        return "0." + "0" * -exponent + digits
    power = f"{exponent - 1:+d}"
    return f"{digits[0]}.{digits[1:]}e{power}" if count > 1 else f"{digits}e{power}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        repeated = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # set.add marks the key as seen
        raise UnreadableInput(f"The key “{_printable(repeated)}” stands twice in one object.")
    return result


def _whole(digits: str) -> int:
    if len(digits) > len(str(MAX_NUMBER)) + 1:
        raise UnreadableInput("Numbers beyond 2^53 are not exact; write it as text.")
    return int(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise UnreadableInput(f"{name} is not a number of JSON; use null or text.")
