"""The limits of expressions, and the budget that an evaluation spends."""

from __future__ import annotations

from workflows.definition.expressions.errors import ExpressionLimitError

MAX_SOURCE = 4_000  # characters of one expression
MAX_NESTING = 32  # open brackets
MAX_DEPTH = 80  # levels of the syntax tree, chains of operators included
MAX_STEPS = 10_000  # of one evaluation
MAX_BUILT = 1_000_000  # characters and items that one evaluation may build
MAX_HOLES = 200  # in one text; each has a budget of its own
ITEM_SIZE = 8  # characters that an item counts for when a result is measured
MAX_TEXT = 100_000  # characters of a text with holes, as written
MAX_DATA_DEPTH = 128  # levels of lists and objects that are walked
MAX_PATTERN = 1_000  # characters of a regular expression or of a date or number pattern
CHARACTERS_A_STEP = 100  # text that is searched costs a step per so many characters


class Budget:
    """What one evaluation may still spend; the counters go down."""

    __slots__ = ("built", "steps")

    def __init__(self) -> None:
        self.steps = MAX_STEPS
        self.built = MAX_BUILT

    def spend(self, steps: int) -> None:
        """Count steps of work. Raises ExpressionLimitError when none are left."""
        self.steps -= steps
        if self.steps < 0:
            raise ExpressionLimitError(
                f"The expression takes more than {MAX_STEPS:,} steps; work on a shorter list"
            )

    def build(self, size: int) -> None:
        """Count characters and items before they are made. Raises ExpressionLimitError."""
        self.built -= size
        if self.built < 0:
            raise ExpressionLimitError(
                f"The expression builds more than {MAX_BUILT:,} characters and items"
            )

    def read(self, text: str) -> None:
        """Count the work of looking through a text."""
        self.spend(1 + len(text) // CHARACTERS_A_STEP)
