"""The macros that go over a list, or over the keys of an object."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from workflows.definition.expressions.errors import ExpressionError, ExpressionLimitError
from workflows.definition.expressions.frame import Frame, Run
from workflows.definition.expressions.logic import truth
from workflows.definition.expressions.values import in_words


def compile_macro(
    name: str, target: Run, body: Run, *, where: Run | None, slot: int, cost: int
) -> Run:
    """Return the closure of a macro; ``cost`` is the number of steps that one round takes."""

    def rounds(frame: Frame) -> Iterator[Any]:
        items = target(frame)
        if not isinstance(items, list | tuple | Mapping):
            raise ExpressionError(f"`{name}` needs a list or an object, not {in_words(items)}")
        for item in items:
            frame.spend(cost)
            frame.local[slot] = item
            yield item

    if name == "map":
        return _mapped(rounds, body, where)
    return _MAKERS[name](rounds, body)


Rounds = Callable[[Frame], Iterator[Any]]


def _mapped(rounds: Rounds, body: Run, where: Run | None) -> Run:
    def value(frame: Frame) -> list[Any]:
        result: list[Any] = []
        for _ in rounds(frame):
            if where is None or truth(where(frame), "map"):
                frame.build(1)
                result.append(body(frame))
        return result

    return value


def _filtered(rounds: Rounds, body: Run) -> Run:
    def value(frame: Frame) -> list[Any]:
        result: list[Any] = []
        for item in rounds(frame):
            if truth(body(frame), "filter"):
                frame.build(1)
                result.append(item)
        return result

    return value


def _exactly_one(rounds: Rounds, body: Run) -> Run:
    def value(frame: Frame) -> bool:
        return sum([truth(body(frame), "exists_one") for _ in rounds(frame)]) == 1

    return value


def _deciding(word: bool, name: str) -> Callable[[Rounds, Run], Run]:
    """Return the maker of ``exists`` (one true decides) or ``all`` (one false decides)."""

    def make(rounds: Rounds, body: Run) -> Run:
        def value(frame: Frame) -> bool:
            failed: ExpressionError | None = None
            for _ in rounds(frame):
                try:
                    if truth(body(frame), name) is word:
                        return word
                except ExpressionLimitError:
                    raise
                except ExpressionError as error:
                    failed = failed or error
            if failed is not None:
                raise failed
            return not word

        return value

    return make


_MAKERS: dict[str, Callable[[Rounds, Run], Run]] = {
    "filter": _filtered,
    "exists_one": _exactly_one,
    "exists": _deciding(True, "exists"),
    "all": _deciding(False, "all"),
}
