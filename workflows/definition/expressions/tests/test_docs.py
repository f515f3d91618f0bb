from __future__ import annotations

from pathlib import Path

import pytest

from workflows.definition.expressions.functions.form import Function
from workflows.definition.expressions.functions.table import TABLE
from workflows.definition.expressions.sentences import WORDS

PAGE = (Path(__file__).parents[4] / "docs" / "expressions.md").read_text(encoding="utf-8")


def line(function: Function) -> str:
    cells = [
        f"`{function.signature}`",
        function.does,
        f"`{function.example}`",
        f"`{function.gives}`",
    ]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


@pytest.mark.parametrize("function", TABLE, ids=lambda function: function.signature)
def test_the_page_has_the_line_of_each_function(function):
    assert line(function) in PAGE.splitlines()


def test_the_page_has_no_function_that_is_not_there():
    table = PAGE.split("| written | gives |")[1].split("\n\n")[0].splitlines()[2:]

    assert table == [line(function) for function in TABLE]


def test_the_page_names_every_operator_of_conditions():
    assert [operator for operator in WORDS if f"`{operator}`" not in PAGE] == []
