"""Gates: what was counted beside what it must be, as a table and as an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One figure that decides: ``value`` must be ``must`` (a number), or at most ``most``."""

    name: str
    value: float
    must: float | None = None
    most: float | None = None

    @property
    def holds(self) -> bool:
        """Say whether the figure is as it must be."""
        if self.must is not None:
            return self.value == self.must
        return self.most is None or self.value <= self.most

    @property
    def wish(self) -> str:
        """Return what it must be, in words."""
        return f"{self.must:g}" if self.must is not None else f"≤ {self.most:g}"


def zero(name: str, value: float) -> Gate:
    """Return a gate that only zero passes."""
    return Gate(name=name, value=value, must=0)


def result_of(figures: dict[str, Any], gates: Sequence[Gate]) -> dict[str, Any]:
    """Return figures and gates as one JSON object; ``passed`` says whether every gate holds."""
    return {
        **figures,
        "gates": {
            gate.name: {"value": gate.value, "must": gate.wish, "ok": gate.holds} for gate in gates
        },
        "passed": all(gate.holds for gate in gates),
    }


def table_of(name: str, result: dict[str, Any]) -> str:
    """Return the one table of a run."""
    width = max((len(gate) for gate in result.get("gates", {})), default=10)
    lines = [f"{name}: {'clean' if result['passed'] else 'NOT CLEAN'}"]
    for gate, said in result.get("gates", {}).items():
        mark = "ok" if said["ok"] else "MISSED"
        lines.append(f"  {gate:<{width}}  {said['value']!s:>10}  {said['must']:>10}  {mark}")
    lines += [
        f"  ({key}: {value})" for key, value in result.items() if key not in ("gates", "passed")
    ]
    return "\n".join(lines)


def row_of(name: str, result: dict[str, Any]) -> str:
    """Return a run's row for docs/reliability.md: the figures that every run has."""
    cells = [
        name,
        result.get("seed", ""),
        *(
            result.get(key, "–")
            for key in (
                "accepted",
                "executions",
                "effects",
                "lost",
                "doubled",
                "stuck",
                "overwritten",
                "uncertain",
                "longest_silence_s",
            )
        ),
        "clean" if result["passed"] else "not clean",
    ]
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which that share lies; 0 of nothing."""
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1) if ordered else 0.0
