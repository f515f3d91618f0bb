"""A look through an expression's text before it is parsed: strings, brackets, limits."""

from __future__ import annotations

import re

from workflows.definition.expressions.errors import ExpressionLimitError, ExpressionSyntaxError
from workflows.definition.expressions.limits import MAX_NESTING, MAX_SOURCE

# One way to match each character: no backtracking, however the text ends.
TRIPLE = (
    r'[rR]"""(?:[^"]|"(?!""))*"""'
    r"|[rR]'''(?:[^']|'(?!''))*'''"
    r'|"""(?:[^"\\]|\\[\s\S]|"(?!""))*"""'
    r"|'''(?:[^'\\]|\\[\s\S]|'(?!''))*'''"
)
SINGLE = (
    r'[rR]"[^"\r\n]*"'
    r"|[rR]'[^'\r\n]*'"
    r'|"(?:[^"\\\r\n]|\\[^\r\n])*"'
    r"|'(?:[^'\\\r\n]|\\[^\r\n])*'"
)
LEXEME = re.compile(
    rf"(?P<text>{TRIPLE}|{SINGLE})"
    r"|(?P<word>[_a-zA-Z0-9]+)"
    r"|(?P<comment>//[^\n]*)"
    r"|(?P<open>[(\[{])"
    r"|(?P<close>[)\]}])"
    r"|(?P<quote>[\"'])"
    r"|(?P<other>[\s\S])"
)


def place_of(source: str, offset: int) -> tuple[int, int]:
    """Return line and column, both from 1, of a character."""
    line = source.count("\n", 0, offset) + 1
    return line, offset - (source.rfind("\n", 0, offset) + 1) + 1


def check_limits(source: str) -> None:
    """Refuse what is too long or too deep, and strings without an end, before parsing.

    Raises ExpressionLimitError or ExpressionSyntaxError.
    """
    if len(source) > MAX_SOURCE:
        raise ExpressionLimitError(
            f"The expression has {len(source):,} characters; {MAX_SOURCE:,} are allowed"
        )
    depth = 0
    for lexeme in LEXEME.finditer(source):
        kind = lexeme.lastgroup
        depth += (kind == "open") - (kind == "close")
        if depth > MAX_NESTING:
            line, column = place_of(source, lexeme.start())
            raise ExpressionLimitError(
                f"Brackets are nested deeper than {MAX_NESTING} levels", line=line, column=column
            )
        if kind == "quote":
            line, column = place_of(source, lexeme.start())
            raise ExpressionSyntaxError(
                "This text has no closing quote", line=line, column=column, source=source
            )


def end_of_hole(text: str, start: int) -> int:
    """Return where the ``}}`` stands that closes a hole whose inside begins at ``start``, or -1.

    Braces inside string literals do not count, nor do those of maps.
    """
    depth = 0
    position = start
    while position < len(text):
        if depth <= 0 and text.startswith("}}", position):
            return position
        lexeme = LEXEME.match(text, position)
        if lexeme is None:
            return -1
        kind = lexeme.lastgroup
        if kind == "comment":
            position += 2
            continue
        depth += (lexeme[0] == "{") - (lexeme[0] == "}")
        position = lexeme.end()
    return -1
