"""Loops: their settings compiled, and the list that one goes through made ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import orjson

from leadsend.lib.errors import PermanentError
from runtime.engine.control_steps import LONGEST_WAIT, Outcome, Steer, span_of
from runtime.engine.fields import Evaluate, Scope, compile_field, named
from workflows.definition import durations
from workflows.definition.expressions.conditions import Judge, compile_condition
from workflows.definition.expressions.values import in_words

MOST_ITEMS: Final = 10_000
MOST_ROUNDS: Final = 100
LARGEST_ITEM_BYTES: Final = 256 * 1024
LARGEST_LIST_BYTES: Final = 16 * 1024 * 1024
_SHOWN_CHARS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopRules:
    """How a loop goes on from item to item.

    ``until`` is set for a loop that repeats until a condition holds; then ``most`` is the number of
    rounds. ``on_error`` is ``stop``, ``continue`` or ``collect``.
    """

    concurrency: int
    on_error: str
    most: int
    batch_size: int = 1
    output: Evaluate | None = None
    until: Judge | None = None
    pause: Callable[[Scope, int], timedelta] | None = None

    @property
    def keeps_all(self) -> bool:
        """Say whether the loop's output holds something of its items."""
        return self.output is not None or self.on_error == "collect"


def compile_loop_rules(cfg: Mapping[str, Any], *, step_id: str) -> LoopRules:
    """Compile the settings of a loop. Raises ConfigurationError as ``compile_field`` does."""
    output = cfg.get("output")
    is_until = cfg.get("mode") == "until"
    return LoopRules(
        concurrency=1 if is_until else int(cfg.get("concurrency") or 1),
        on_error=str(cfg.get("on_error") or "stop"),
        most=int(
            (cfg.get("max_rounds") or MOST_ROUNDS)
            if is_until
            else (cfg.get("max_items") or MOST_ITEMS)
        ),
        batch_size=int(cfg.get("batch_size") or 1),
        output=None if output is None else compile_field(output, step_id=step_id, field="output"),
        until=_until(cfg, step_id) if is_until else None,
        pause=_pause(cfg, step_id) if is_until and "pause" in cfg else None,
    )


def compile_loop_step(cfg: Mapping[str, Any], *, step_id: str) -> Steer:
    """Return a function that opens a loop.

    Input: ``{"list": [...]}``, as it is gone through, or ``{"max_rounds": n}``; output: the
    progress of a loop that has just begun. The function raises PermanentError for what cannot be
    gone through: no list, too many items, an item that is too big.
    """
    if cfg.get("mode") == "until":
        most = int(cfg.get("max_rounds") or MOST_ROUNDS)
        return lambda scope: _opened({"max_rounds": most}, None)
    most = int(cfg.get("max_items") or MOST_ITEMS)
    size = int(cfg.get("batch_size") or 1)
    evaluate = compile_field(cfg.get("list"), step_id=step_id, field="list")
    where = f"Step {step_id}, field list:"

    def steer(scope: Scope) -> Outcome:
        items = _checked(evaluate(scope), most, where)
        return _opened({"list": items}, -(-len(items) // size))

    return steer


def item_of(given: Mapping[str, Any], rules: LoopRules, index: int) -> Any:
    """Return what ``item`` is: of a batch a list of as many; ``given`` is the loop's input."""
    items = given["list"]
    size = rules.batch_size
    return items[index] if size == 1 else items[index * size : (index + 1) * size]


def size_of(value: Any) -> int:
    """Return the bytes of a value as JSON."""
    try:
        return len(orjson.dumps(value, default=str))
    except TypeError:  # a number beyond 64 bits, a strange key
        return len(repr(value))


def _opened(given: Mapping[str, Any], total: int | None) -> Outcome:
    return Outcome("", given, {"total": total, "done": 0, "failed": 0, "next": 0, "open": []})


def _checked(value: Any, most: int, where: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise PermanentError(
            f"{where} a loop goes through a list, but this is {in_words(value)}: {_shown(value)}.",
            code="loop_no_list",
        )
    if len(value) > most:
        raise PermanentError(
            f"{where} the list has {len(value)} items, and this loop goes through {most} at most: "
            "shorten the list, or raise max_items.",
            code="loop_too_long",
        )
    try:
        # Later claims read the list back as JSON: what the first one sees must be the same.
        text = orjson.dumps(list(value), default=str)
    except TypeError:
        return list(value)
    _check_sizes(value, len(text), where)
    items: list[Any] = orjson.loads(text)
    return items


def _check_sizes(value: list[Any] | tuple[Any, ...], size: int, where: str) -> None:
    if size <= LARGEST_ITEM_BYTES:
        return
    for index, item in enumerate(value):
        item_size = size_of(item)
        if item_size > LARGEST_ITEM_BYTES:
            raise PermanentError(
                f"{where} item {index} has {item_size // 1024} KiB, and one may have "
                f"{LARGEST_ITEM_BYTES // 1024} at most: {_shown(item)}. Pass on less of it.",
                code="loop_item_too_big",
            )
    if size > LARGEST_LIST_BYTES:
        raise PermanentError(
            f"{where} the list has {size // 2**20} MiB, and one may have "
            f"{LARGEST_LIST_BYTES // 2**20} at most. Pass on less of each item.",
            code="loop_list_too_big",
        )


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


def _until(cfg: Mapping[str, Any], step_id: str) -> Judge:
    group = cfg.get("until") or {}
    return named(lambda: compile_condition(group), step_id=step_id, field="until")


def _pause(cfg: Mapping[str, Any], step_id: str) -> Callable[[Scope, int], timedelta]:
    """Return how long to wait after so many rounds."""
    span = compile_field(cfg["pause"], step_id=step_id, field="pause")
    backoff = cfg.get("backoff") or {}
    factor = float(backoff.get("factor", 1 if not backoff else 2))
    cap = durations.span(backoff["cap"]) if "cap" in backoff else LONGEST_WAIT

    def pause(scope: Scope, rounds: int) -> timedelta:
        first = span_of(span(scope))
        # Beyond it every pause is at its cap, and a float might overflow.
        grown = first.total_seconds() * min(factor ** min(rounds - 1, 100), 1e9)
        return min(timedelta(seconds=min(grown, LONGEST_WAIT.total_seconds())), cap)

    return pause
