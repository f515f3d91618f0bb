"""What one evaluation carries along: the data, the macros' variables and the budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workflows.definition.expressions.access import Scope
from workflows.definition.expressions.limits import MAX_BUILT, MAX_STEPS, Budget


class Frame(Budget):
    """One evaluation."""

    __slots__ = ("local", "scope")

    def __init__(self, scope: Scope, slots: int) -> None:
        self.steps = MAX_STEPS
        self.built = MAX_BUILT
        self.scope = scope
        self.local: list[Any] = [None] * slots


Run = Callable[[Frame], Any]
