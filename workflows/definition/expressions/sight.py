"""What a check knows at one node of a tree, and what it finds there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leadsend.lib.errors import Severity
from workflows.definition.expressions.tree import Position
from workflows.definition.expressions.types import Type

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where in the expression."""

    code: str
    message: str
    at: Position
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, slots=True)
class Sight:
    """What holds at one node: the macros' variables, what is surely there, what may be missing."""

    bound: Mapping[str, Type]
    sure: frozenset[Path] = frozenset()
    tolerant: bool = False

    def knowing(self, paths: frozenset[Path]) -> Sight:
        """Return the same with more paths that are surely there."""
        return Sight(self.bound, self.sure | paths, self.tolerant)
