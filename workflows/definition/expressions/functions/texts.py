"""Methods on text, as lead data needs them."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from workflows.definition.expressions.errors import ExpressionError
from workflows.definition.expressions.functions.form import INT, LIST, TEXT, Function
from workflows.definition.expressions.limits import Budget

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")


def upper(budget: Budget, text: str) -> str:
    """Return the text in capitals."""
    budget.build(len(text))
    return text.upper()


def lower(budget: Budget, text: str) -> str:
    """Return the text in small letters."""
    budget.build(len(text))
    return text.lower()


def title(budget: Budget, text: str) -> str:
    """Return the text with a capital at the start of each word."""
    budget.read(text)
    budget.build(len(text))
    return _WORD.sub(lambda word: word[0][:1].upper() + word[0][1:].lower(), text)


def trim(budget: Budget, text: str) -> str:
    """Return the text without space at either end."""
    budget.build(len(text))
    return text.strip()


def replace(budget: Budget, text: str, old: str, new: str) -> str:
    """Return the text with every ``old`` replaced."""
    if not old:
        raise ExpressionError("`replace` needs a text to look for")
    budget.read(text)
    budget.build(len(text) + text.count(old) * (len(new) - len(old)))
    return text.replace(old, new)


def split(budget: Budget, text: str, separator: str) -> list[str]:
    """Return the parts between separators."""
    if not separator:
        raise ExpressionError('`split` needs a separator, as in .split(",")')
    budget.read(text)
    budget.build(len(text) + text.count(separator))
    return text.split(separator)


def substring(budget: Budget, text: str, start: int, end: int | None = None) -> str:
    """Return the characters from ``start`` (0 is the first) up to before ``end``."""
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        raise ExpressionError(f"The text has {len(text)} characters; {start} to {stop} is outside")
    budget.build(stop - start)
    return text[start:stop]


def index_of(budget: Budget, text: str, part: str) -> int:
    """Return where the part begins, or -1."""
    budget.read(text)
    return text.find(part)


def truncate(budget: Budget, text: str, length: int) -> str:
    """Return at most so many characters, the last one a … when something was cut off."""
    if length < 1:
        raise ExpressionError("`truncate` needs a length from 1")
    budget.build(min(len(text), length))
    return text if len(text) <= length else text[: length - 1] + "…"


def digits(budget: Budget, text: str) -> str:
    """Return only the digits 0 to 9, as for a telephone number."""
    budget.read(text)
    budget.build(len(text))
    return "".join(char for char in text if char in "0123456789")


def domain(budget: Budget, text: str) -> str:
    """Return what follows the last @, in small letters, or an empty text."""
    budget.build(len(text))
    return text.rpartition("@")[2].strip().lower() if "@" in text else ""


def slug(budget: Budget, text: str) -> str:
    """Return small letters, digits and hyphens only."""
    budget.read(text)
    budget.build(len(text))
    plain = unicodedata.normalize("NFKD", text[:1000]).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def _ascii(text: str, change: Any) -> str:
    return "".join(change(char) if char.isascii() else char for char in text)


def lower_ascii(budget: Budget, text: str) -> str:
    """Return A-Z as a-z and everything else as it is."""
    budget.build(len(text))
    return _ascii(text, str.lower)


def upper_ascii(budget: Budget, text: str) -> str:
    """Return a-z as A-Z and everything else as it is."""
    budget.build(len(text))
    return _ascii(text, str.upper)


TEXTS: tuple[Function, ...] = (
    Function(name="upper", run=upper, on=TEXT, result=TEXT, example='"straße".upper()',
             gives="STRASSE", does="all capitals"),
    Function(name="lower", run=lower, on=TEXT, result=TEXT, example='"Ada@Example.ORG".lower()',
             gives="ada@example.org", does="all small letters"),
    Function(name="title", run=title, on=TEXT, result=TEXT, example='"ada o\'neil-byron".title()',
             gives="Ada O'neil-Byron", does="a capital at the start of each word"),
    Function(name="trim", run=trim, on=TEXT, result=TEXT, example='"  Ada ".trim()', gives="Ada",
             does="no space at either end"),
    Function(name="replace", run=replace, on=TEXT, args=(TEXT, TEXT), result=TEXT,
             example='"a-b-c".replace("-", "")', gives="abc", does="every occurrence replaced"),
    Function(name="split", run=split, on=TEXT, args=(TEXT,), result=LIST,
             example='"a,b".split(",")', gives='["a","b"]', does="the parts between separators"),
    Function(name="substring", run=substring, on=TEXT, args=(INT, INT), optional=1, result=TEXT,
             example='"LEAD-17".substring(5)', gives="17",
             does="characters from a place (0 is the first) up to before another"),
    Function(name="indexOf", run=index_of, on=TEXT, args=(TEXT,), result=INT,
             example='"a-b".indexOf("-")', gives="1", does="where a part begins, or -1"),
    Function(name="truncate", run=truncate, on=TEXT, args=(INT,), result=TEXT,
             example='"A long message".truncate(7)', gives="A long…",
             does="at most so many characters, with … when cut"),
    Function(name="digits", run=digits, on=TEXT, result=TEXT, example='"+49 (0)30 12".digits()',
             gives="4903012", does="only the digits"),
    Function(name="domain", run=domain, on=TEXT, result=TEXT, example='"ada@Example.org".domain()',
             gives="example.org", does="what follows the @, or an empty text"),
    Function(name="slug", run=slug, on=TEXT, result=TEXT, example='"Käthe & Co.".slug()',
             gives="kathe-co", does="small letters, digits and hyphens only"),
    Function(name="lowerAscii", run=lower_ascii, on=TEXT, result=TEXT,
             example='"ÄBC".lowerAscii()', gives="Äbc", does="A-Z small, the rest as it is"),
    Function(name="upperAscii", run=upper_ascii, on=TEXT, result=TEXT,
             example='"äbc".upperAscii()', gives="äBC", does="a-z as capitals, the rest as it is"),
)  # fmt: skip
