"""Methods on numbers. Text that holds a number counts as that number."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

from babel import Locale
from babel.localedata import locale_identifiers
from babel.numbers import format_currency, format_decimal, format_percent

from workflows.definition.expressions.errors import ExpressionError
from workflows.definition.expressions.functions.form import INT, NUMBER, NUMERIC, TEXT, Function
from workflows.definition.expressions.limits import Budget
from workflows.definition.expressions.operators import checked
from workflows.definition.expressions.values import NUMBERS, in_words, kind_of

_NUMBER = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
MAX_DIGITS = 15
SLOW = 5  # steps of what Babel does


def number_of(value: Any) -> int | float:
    """Return a number, also for text that holds one. Raises ExpressionError."""
    number = number_or_none(value)
    if number is None:
        shown = f'"{value[:40]}"' if isinstance(value, str) else in_words(value)
        raise ExpressionError(f"{shown} is no number")
    return number


def number_or_none(value: Any) -> int | float | None:
    """Return a number, also for text that holds one, or None."""
    if kind_of(value) in NUMBERS:
        return value  # type: ignore[no-any-return]
    if not isinstance(value, str):
        return None
    text = value.strip()
    if _WHOLE.fullmatch(text):
        return int(text)
    return checked(float(text)) if _NUMBER.fullmatch(text) else None


@lru_cache(maxsize=64)
def locale_of(name: str) -> Locale:
    """Return the locale of a name such as en, de or pt-BR. Raises ExpressionError."""
    known = _locale_names().get(name.replace("-", "_").lower())
    if known is None:
        raise ExpressionError(f'There is no language "{name[:20]}"; write it as en, de or pt_BR')
    return Locale.parse(known)


@lru_cache(maxsize=1)
def _locale_names() -> dict[str, str]:
    return {name.lower(): name for name in locale_identifiers()}


def _decimal(value: Any) -> Decimal:
    return Decimal(str(number_of(value)))


def _digits(count: int) -> int:
    if not 0 <= count <= MAX_DIGITS:
        raise ExpressionError(f"The number of decimals is 0 to {MAX_DIGITS}")
    return count


def rounded(budget: Budget, value: Any, digits: int = 0) -> Any:
    """Return the number rounded, halves away from zero; whole without decimals."""
    step = Decimal(1).scaleb(-_digits(digits))
    if isinstance(value, int):
        return value
    result = _decimal(value).quantize(step, ROUND_HALF_UP) if _is_small(value) else _decimal(value)
    return checked(int(result)) if digits == 0 else float(result)


def _is_small(value: Any) -> bool:
    """Return whether the number has places behind the point at all, so that it can be rounded."""
    return bool(abs(number_of(value)) < 1e12)


def floor(budget: Budget, value: Any) -> Any:
    """Return the next whole number below."""
    return checked(int(number_of(value) // 1))


def ceil(budget: Budget, value: Any) -> Any:
    """Return the next whole number above."""
    return checked(-int(-number_of(value) // 1))


def absolute(budget: Budget, value: Any) -> Any:
    """Return the number without its sign."""
    return checked(abs(number_of(value)))


def money(budget: Budget, value: Any, currency: str, locale: str = "en") -> str:
    """Return an amount of money as people write it."""
    if not _CURRENCY.fullmatch(currency):
        raise ExpressionError('The currency is three capitals, as in .money("EUR")')
    budget.spend(SLOW)
    return format_currency(_decimal(value), currency, locale=locale_of(locale))


def number(budget: Budget, value: Any, digits: int = -1, locale: str = "en") -> str:
    """Return a number as people write it; with -1 as many decimals as it has, up to 3."""
    places = f".{'0' * _digits(digits)}" if digits > 0 else ".###" if digits < 0 else ""
    budget.spend(SLOW)
    return format_decimal(_decimal(value), f"#,##0{places}", locale=locale_of(locale))


def percent(budget: Budget, value: Any, locale: str = "en") -> str:
    """Return a share as per cent: 0.25 is 25%."""
    budget.spend(SLOW)
    return format_percent(_decimal(value), "#,##0.##%", locale=locale_of(locale))


NUMBER_FUNCTIONS: tuple[Function, ...] = (
    Function(name="round", run=rounded, on=NUMERIC, args=(INT,), optional=1, result=NUMBER,
             example="2.345.round(2)", gives="2.35", does="rounded, halves away from zero"),
    Function(name="floor", run=floor, on=NUMERIC, result=INT, example="2.9.floor()", gives="2",
             does="the whole number below"),
    Function(name="ceil", run=ceil, on=NUMERIC, result=INT, example="2.1.ceil()", gives="3",
             does="the whole number above"),
    Function(name="abs", run=absolute, on=NUMERIC, result=NUMBER, example="(1 - 3).abs()",
             gives="2", does="without the sign"),
    Function(name="money", run=money, on=NUMERIC, args=(TEXT, TEXT), optional=1, result=TEXT,
             example='1234.5.money("EUR")', gives="€1,234.50",
             does="an amount of money; the second argument is the language, en by default"),
    Function(name="number", run=number, on=NUMERIC, args=(INT, TEXT), optional=2, result=TEXT,
             example='1234.5.number(2, "de")', gives="1.234,50",
             does="a number as people write it, with so many decimals, in a language"),
    Function(name="percent", run=percent, on=NUMERIC, args=(TEXT,), optional=1, result=TEXT,
             example="0.256.percent()", gives="25.6%", does="a share as per cent"),
)  # fmt: skip
