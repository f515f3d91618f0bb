"""What goes wrong with expressions: in their text, at run time, and at a limit."""

from __future__ import annotations

from leadsend.lib.errors import LeadSendError

MAX_DETAIL = 500  # characters; names in messages may come from data
SHOWN_SOURCE = 120  # characters of an expression that an error quotes


class ExpressionError(LeadSendError):
    """An expression could not be evaluated.

    ``source`` is the expression's text, ``line`` and ``column`` count from 1 (0: not known).
    ``detail`` is the sentence without the place; the message holds both.
    """

    code = "expression"

    def __init__(self, detail: str, *, line: int = 0, column: int = 0, source: str = "") -> None:
        if len(detail) > MAX_DETAIL:
            detail = f"{detail[:MAX_DETAIL]}…"
        super().__init__(detail)
        self.detail = detail
        self.line = line
        self.column = column
        self.source = source
        self._say()

    def place(self, line: int, column: int) -> None:
        """Say where it happened, unless a more exact place is known already."""
        if not self.line:
            self.line, self.column = line, column
            self._say()

    def within(self, source: str) -> None:
        """Name the expression, unless it is named already."""
        if not self.source:
            self.source = source
            self._say()

    def shift(self, *, line: int, column: int, source: str) -> None:
        """Move the place from a hole into the text around it, which begins at line and column."""
        self.column += column - 1 if self.line <= 1 else 0
        self.line += line - 1
        self.source = source
        self._say()

    def _say(self) -> None:
        place = ""
        if self.line > 1:
            place = f"line {self.line}, column {self.column}"
        elif self.line:
            place = f"column {self.column}"
        shown = self.source[:SHOWN_SOURCE] + ("…" if len(self.source) > SHOWN_SOURCE else "")
        where = ", ".join(part for part in (shown and f"in `{shown}`", place) if part)
        self.message = f"{self.detail} ({where})" if where else self.detail
        self.args = (self.message,)


class MissingValueError(ExpressionError):
    """A field, step or root that the expression names is not there."""


class ExpressionLimitError(ExpressionError):
    """The expression is too long, too deep, takes too many steps or builds too much."""

    code = "expression_limit"


class ExpressionSyntaxError(ExpressionError):
    """The text is not an expression; line, column and message say why."""

    code = "expression_syntax"
