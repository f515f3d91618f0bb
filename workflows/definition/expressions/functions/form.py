"""What a function is: its name, what it takes, what it answers, and an example that a test runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workflows.definition.expressions.values import IN_WORDS, Kind

Kinds = frozenset[Kind]

ANY: Kinds = frozenset(Kind)
BOOL: Kinds = frozenset({Kind.BOOL})
INT: Kinds = frozenset({Kind.INT})
NUMBER: Kinds = frozenset({Kind.INT, Kind.DOUBLE})
TEXT: Kinds = frozenset({Kind.STRING})
LIST: Kinds = frozenset({Kind.LIST})
MAP: Kinds = frozenset({Kind.MAP})
TIME: Kinds = frozenset({Kind.TIMESTAMP})
SPAN: Kinds = frozenset({Kind.DURATION})
NUMERIC: Kinds = NUMBER | TEXT  # forms and webhooks deliver numbers as text
TIMELIKE: Kinds = TIME | TEXT  # and times as ISO text


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function or method.

    ``run(budget, *values)`` gets the receiver first when there is one. Of ``args`` the last
    ``optional`` may be left out. ``example`` is an expression, ``gives`` its result as text.
    """

    name: str
    run: Callable[..., Any]
    on: Kinds | None = None
    args: tuple[Kinds, ...] = ()
    optional: int = 0
    result: Kinds
    example: str
    gives: str
    does: str

    @property
    def signature(self) -> str:
        """Return how it is written, as in ``text.replace(text, text)``."""
        required = len(self.args) - self.optional
        parts = [
            words(kinds) + ("?" if at >= required else "") for at, kinds in enumerate(self.args)
        ]
        receiver = f"{words(self.on)}." if self.on is not None else ""
        return f"{receiver}{self.name}({', '.join(parts)})"


def words(kinds: Kinds) -> str:
    """Return short names of kinds, joined by "or"."""
    if kinds == ANY:
        return "any"
    names = {"number" if kind in NUMBER else IN_WORDS[kind].split(" ")[-1] for kind in kinds}
    return " or ".join(sorted(names)).replace("false", "bool")
