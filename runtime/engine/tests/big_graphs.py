"""Random documents of up to a hundred steps, drawn from a seed: joins of joins in every mixture.

Plain ``random`` and not Hypothesis: ten thousand of them have to be drawn, and a number is all
that is needed to draw one again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from runtime.engine.tests.making import act, control

WAYS: Mapping[str, tuple[str, ...]] = {
    "condition": ("yes", "no"),
    "switch": ("one", "two", "default"),
    "echo": ("default",),
    "send": ("default",),
    "fire": ("default",),
    "write": ("default",),
    "delay": ("default",),
    "end": ("success", "failed"),
}
_KINDS = ("condition", "switch", "echo", "echo", "send", "send", "send", "fire", "write", "delay")
# How often a step fails for good, has an error branch, is an end.
_MIXTURES = (
    (0.0, 0.3, 0.0),
    (0.0, 0.9, 0.0),
    (0.0, 0.9, 0.1),
    (0.1, 0.9, 0.0),
    (1.0, 0.3, 0.0),
    (1.0, 0.1, 0.2),
)
_UNKNOWN = "event.nobody_knows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What a step comes to: a branch or ``fails``, after so many failures that are tried again."""

    way: str
    later: int = 0
    minutes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BigGraph:
    """A document and the fate of each of its steps."""

    seed: int
    document: Mapping[str, Any]
    fates: Mapping[str, Fate]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Odds:
    """How one graph is drawn: how many steps, links, failures and ends."""

    steps: int
    links: int
    reach: int
    fails: float
    guarded: float
    ends: float


def big_graph(seed: int) -> BigGraph:
    """Draw a graph; a step's edges lead to steps with a higher number, in any shape."""
    chance = Random(seed)  # noqa: S311 - a graph that can be drawn again
    fails, guarded, ends = chance.choice(_MIXTURES)
    odds = _Odds(
        steps=chance.choice(
            [chance.randint(1, 12), chance.randint(5, 40), chance.randint(30, 100)]
        ),
        links=chance.randint(1, 5),
        reach=chance.choice([3, 8, 100]),
        fails=fails,
        guarded=guarded,
        ends=ends,
    )
    kinds = {f"s{n}": _kind(odds, chance) for n in range(odds.steps)}
    edges = _edges(kinds, odds, chance)
    soft = {edge["from"] for edge in edges if edge["branch_key"] == "error"}
    fates = {step: _fate(kind, step in soft, odds, chance) for step, kind in kinds.items()}
    steps = [_step(step, kinds[step], fates[step], chance) for step in kinds]
    chance.shuffle(steps)
    document = {"name": f"Graph {seed}", "steps": steps, "edges": edges}
    return BigGraph(seed=seed, document=document, fates=fates)


def _kind(odds: _Odds, chance: Random) -> str:
    return "end" if chance.random() < odds.ends else chance.choice(_KINDS)


def _edges(kinds: Mapping[str, str], odds: _Odds, chance: Random) -> list[dict[str, str]]:
    edges = []
    for target in range(1, len(kinds)):
        near = range(max(0, target - odds.reach), target)
        sources = chance.sample(near, min(len(near), chance.randint(0, odds.links)))
        for source in sources:
            kind = kinds[f"s{source}"]
            is_guard = kind == "end" or chance.random() < odds.guarded * 0.5
            ways = ["error"] if is_guard else list(WAYS[kind])
            # Several branches of one step may lead to the same step.
            for branch in chance.sample(ways, chance.choice([1, 1, 1, len(ways)])):
                edge = {"from": f"s{source}", "to": f"s{target}", "branch_key": branch}
                edges.append(edge)
    chance.shuffle(edges)
    return edges


def _fate(kind: str, is_guarded: bool, odds: _Odds, chance: Random) -> Fate:
    # With an error branch failures are many, without one few: each ends the run.
    often = 0.4 if is_guarded else odds.fails * 0.25
    fails = chance.random() < often
    later = (
        chance.choice([0, 0, 0, 0, 1, 1, 2, 3 if is_guarded else 2])
        if kind in ("send", "fire")
        else 0
    )
    return Fate(
        way="fails" if fails else chance.choice(WAYS[kind]),
        later=later,
        minutes=chance.randint(0, 3) if kind == "delay" else 0,
    )


def _step(step: str, kind: str, fate: Fate, chance: Random) -> dict[str, Any]:
    join = chance.choice(["all", "all", "any", {"first": 1}, {"first": 2}, {"first": 3}])
    if kind in ("send", "fire", "write", "echo"):
        cfg = {"raise": "permanent"} if kind == "echo" and fate.way == "fails" else {}
        return act(step, kind, cfg=cfg, join=join)
    return control(step, kind, _cfg(kind, fate), join=join)


def _cfg(kind: str, fate: Fate) -> dict[str, Any]:
    fails = fate.way == "fails"
    if kind == "condition":
        return {"cel": _UNKNOWN if fails else str(fate.way == "yes").lower()}
    if kind == "switch":
        cases = [{"key": key, "when": {"cel": str(fate.way == key).lower()}} for key in WAYS[kind]]
        return {"cases": [{"key": "x", "when": {"cel": _UNKNOWN}}] if fails else cases[:-1]}
    if kind == "delay":
        return {"until": f"{{{{ {_UNKNOWN} }}}}"} if fails else _minutes(fate.minutes)
    return {"output": f"{{{{ {_UNKNOWN} }}}}"} if fails else {"status": fate.way}


def _minutes(count: int) -> dict[str, Any]:
    return {"for": {"value": count, "unit": "minutes"}}
