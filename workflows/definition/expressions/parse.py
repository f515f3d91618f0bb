r"""From text to syntax tree, with cel-python's grammar and our own limits.

Only the grammar file of cel-python is used: importing the package costs 0.3 s and raises the
recursion limit. Its string terminals backtrack exponentially on ``"\n\n\n…`` without a closing
quote, so they are replaced.
"""

from __future__ import annotations

import importlib.util
import re
from functools import cache, lru_cache
from pathlib import Path

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken
from lark.lexer import PatternRE, TerminalDef

from workflows.definition.expressions.building import TreeBuilder
from workflows.definition.expressions.errors import ExpressionLimitError, ExpressionSyntaxError
from workflows.definition.expressions.limits import MAX_DEPTH
from workflows.definition.expressions.scan import SINGLE, TRIPLE, check_limits, place_of
from workflows.definition.expressions.tree import Literal, Node, walk

MAX_INT = 2**63 - 1
# Signs belong to the operator; a digit after the point is needed, so that 1.round() is a call.
TERMINALS = {
    "INT_LIT": r"0[xX][0-9a-fA-F]+|[0-9]+",
    "UINT_LIT": r"(?:0[xX][0-9a-fA-F]+|[0-9]+)[uU]",
    "FLOAT_LIT": r"[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+",
    "STRING_LIT": SINGLE,
    "MLSTRING_LIT": TRIPLE,
    "BYTES_LIT": rf"[bB](?:{TRIPLE}|{SINGLE})",
    "COMMENT": r"//[^\n]*",
}
PRIORITIES = {"BYTES_LIT": -3, "MLSTRING_LIT": -2, "STRING_LIT": -1}  # "invert": lowest first


@lru_cache(maxsize=4096)
def parse(source: str) -> Node:
    """Return the syntax tree.

    Raises ExpressionSyntaxError with line and column, or ExpressionLimitError when the text is
    longer than 4,000 characters or nested too deeply.
    """
    try:
        check_limits(source)
        if not source.strip():
            raise ExpressionSyntaxError("The expression is empty", line=1, column=1)
        tree: Node = _grammar().parse(source)  # type: ignore[assignment]  # our own nodes
        _check_tree(tree)
    except UnexpectedInput as error:
        raise _syntax_error(source, error) from None
    except (ExpressionSyntaxError, ExpressionLimitError) as error:
        error.within(source)
        raise
    return tree


@cache
def _grammar() -> Lark:
    package = importlib.util.find_spec("celpy")
    if package is None or not package.submodule_search_locations:
        raise ImportError("cel-python is not installed: run ./dev up once")
    grammar = Path(package.submodule_search_locations[0]) / "cel.lark"
    return Lark(
        grammar.read_text(encoding="utf-8"),
        parser="lalr",
        start="expr",
        g_regex_flags=re.MULTILINE,
        lexer_callbacks={"IDENT": _true_and_false},
        edit_terminals=_safe_terminal,
        transformer=TreeBuilder(),
        maybe_placeholders=False,
        keep_all_tokens=True,
        priority="invert",
    )


def _true_and_false(token: Token) -> Token:
    if token.value in {"true", "false"}:
        return Token.new_borrow_pos("BOOL_LIT", token.value, token)
    return token


def _safe_terminal(terminal: TerminalDef) -> None:
    pattern = TERMINALS.get(terminal.name)
    if pattern is not None:
        terminal.pattern = PatternRE(f"(?:{pattern})", terminal.pattern.flags)
    terminal.priority = PRIORITIES.get(terminal.name, terminal.priority)


def _check_tree(tree: Node) -> None:
    for node, depth in walk(tree):
        line, column = node.at
        if depth > MAX_DEPTH:
            raise ExpressionLimitError(
                f"The expression is nested deeper than {MAX_DEPTH} levels; split it up",
                line=line,
                column=column,
            )
        if isinstance(node, Literal) and type(node.value) is int and node.value > MAX_INT:
            raise ExpressionSyntaxError("This number is too large", line=line, column=column)


def _syntax_error(source: str, error: UnexpectedInput) -> ExpressionSyntaxError:
    line, column = error.line, error.column
    at_end = isinstance(error, UnexpectedEOF)
    if isinstance(error, UnexpectedToken):
        at_end = error.token.type == "$END"
        detail = f"`{error.token}` cannot stand here"
    elif isinstance(error, UnexpectedCharacters):
        detail = f"`{error.char}` cannot stand here"
    else:
        detail = "This is not an expression"
    if at_end:
        line, column = place_of(source, len(source))
        detail = "The expression ends too early"
    return ExpressionSyntaxError(detail, line=line, column=column, source=source)
