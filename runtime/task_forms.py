"""The form of a task that asks for a decision: which answers it takes, and what goes with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from leadsend.lib.errors import InvalidInput, Problem
from leadsend.lib.input_guard import clean_text

_LONGEST_TEXT: Final = 10_000
Reader = Callable[["FormField", Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One button. ``key`` is the branch that its step goes out on."""

    key: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One field beside the buttons; ``options`` are what a choice can be."""

    key: str
    title: str
    type: str
    is_required: bool
    options: tuple[str, ...]


def answers_of(form: Any) -> list[Answer]:
    """Return the buttons of a task; none for a plain task, which is only done."""
    return [
        Answer(key=str(item["key"]), title=str(item.get("title") or _human(item["key"])))
        for item in _items(form, "answers")
    ]


def fields_of(form: Any) -> list[FormField]:
    """Return the fields of a task, in their order."""
    return [
        FormField(
            key=str(item["key"]),
            title=str(item.get("title") or _human(item["key"])),
            type=str(item.get("type") or "text"),
            is_required=item.get("required") is True,
            options=tuple(str(option) for option in item.get("options") or ()),
        )
        for item in _items(form, "fields")
    ]


def read_answer(form: Any, given: Any) -> Any:
    """Return an answer as it is kept; that of a task without a form stays as it is.

    ``given`` is ``{"answer": key, "comment": text, "fields": {key: value}}`` or just the key. Raises
    InvalidInput, with the place of each problem, for what the form does not take.
    """
    answers = answers_of(form)
    if not answers:
        return given
    said: Mapping[str, Any] = given if isinstance(given, Mapping) else {"answer": given}
    values = said.get("fields") or {}
    problems = [*_unknown(said, values, form), *_wrong_answer(said.get("answer"), answers)]
    fields: dict[str, Any] = {}
    if isinstance(values, Mapping):
        for field in fields_of(form):
            fields |= _read(field, values.get(field.key), problems)
    if problems:
        raise InvalidInput(problems[0].message, problems=problems)
    comment = clean_text(str(said.get("comment") or ""))[:_LONGEST_TEXT]
    return {"answer": said["answer"], "comment": comment, "fields": fields}


def _unknown(said: Mapping[str, Any], values: Any, form: Any) -> Iterator[Problem]:
    for name in said.keys() - {"answer", "comment", "fields"}:
        yield _problem(f"There is no “{name}” in an answer: it has answer, comment, fields.", name)
    if not isinstance(values, Mapping):
        yield _problem("The fields are an object {…}.", "fields")
        return
    known = {field.key for field in fields_of(form)}
    for name in values.keys() - known:
        yield _problem(f"The task has no field “{name}”.", f"fields/{name}")


def _wrong_answer(answer: Any, answers: Sequence[Answer]) -> Iterator[Problem]:
    keys = [one.key for one in answers]
    if answer not in keys:
        yield _problem(f"Answer with one of {', '.join(keys)}.", "answer")


def _read(field: FormField, value: Any, problems: list[Problem]) -> dict[str, Any]:
    if value is None or value == "":
        if field.is_required and field.type != "boolean":
            problems.append(_problem(f"Fill in “{field.title}”.", f"fields/{field.key}"))
        return {field.key: False} if field.type == "boolean" else {}
    try:
        read: Reader = _READERS.get(field.type, _text)
        return {field.key: read(field, value)}
    except ValueError as error:
        problems.append(_problem(f"“{field.title}”: {error}", f"fields/{field.key}"))
        return {}


def _text(field: FormField, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("this must be text.")  # noqa: TRY004 - told as a problem of the form
    return clean_text(value)[:_LONGEST_TEXT]


def _number(field: FormField, value: Any) -> float | int:
    if isinstance(value, bool):
        raise ValueError("this must be a number.")  # noqa: TRY004 - told as a problem of the form
    try:
        number = value if isinstance(value, int) else float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("this must be a number.") from error
    if isinstance(number, float) and not math.isfinite(number):
        raise ValueError("this must be a number.")
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _boolean(field: FormField, value: Any) -> bool:
    known = {True: True, False: False, "true": True, "on": True, "false": False}
    if not isinstance(value, str | bool) or value not in known:
        raise ValueError("this must be yes or no.")
    return known[value]


def _date(field: FormField, value: Any) -> str:
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError as error:
        raise ValueError("this must be a date like 2027-01-31.") from error


def _choice(field: FormField, value: Any) -> str:
    if value not in field.options:
        raise ValueError(f"choose one of {', '.join(field.options)}.")
    return str(value)


_READERS: Final[Mapping[str, Reader]] = {
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "choice": _choice,
}


def _items(form: Any, part: str) -> list[Mapping[str, Any]]:
    items = form.get(part) if isinstance(form, Mapping) else None
    return [item for item in items or () if isinstance(item, Mapping) and item.get("key")]


def _human(key: Any) -> str:
    words = str(key).replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _problem(message: str, where: str) -> Problem:
    return Problem(code="invalid", message=message, path=f"/answer/{where}")
