"""All functions and methods there are, by name."""

from __future__ import annotations

from workflows.definition.expressions.functions.form import Function
from workflows.definition.expressions.functions.lists import LISTS
from workflows.definition.expressions.functions.moments import MOMENTS
from workflows.definition.expressions.functions.numbers import NUMBER_FUNCTIONS
from workflows.definition.expressions.functions.standard import STANDARD
from workflows.definition.expressions.functions.texts import TEXTS

TABLE: tuple[Function, ...] = STANDARD + TEXTS + LISTS + NUMBER_FUNCTIONS + MOMENTS
FUNCTIONS = {function.name: function for function in TABLE if function.on is None}
METHODS = {function.name: function for function in TABLE if function.on is not None}
# Forms of the language that look like functions: they see the expression, not its value.
MACRO_METHODS = ("all", "exists", "exists_one", "map", "filter")
SPECIAL_FUNCTIONS = ("has", "default")
