"""Which kinds the operators take, and what comes out."""

from __future__ import annotations

from workflows.definition.expressions.values import Kind

Pair = tuple[Kind, Kind]
_INT, _DOUBLE, _TIME, _SPAN = Kind.INT, Kind.DOUBLE, Kind.TIMESTAMP, Kind.DURATION
_NUMBERS = (_INT, _DOUBLE)
_ARITHMETIC: dict[Pair, frozenset[Kind]] = {
    (a, b): frozenset({_INT} if a is b is _INT else {_DOUBLE}) for a in _NUMBERS for b in _NUMBERS
}
_ORDER: set[Pair] = {(a, b) for a in _NUMBERS for b in _NUMBERS} | {
    (kind, kind) for kind in (Kind.STRING, Kind.BOOL, _TIME, _SPAN)
}
_ORDER |= {(_TIME, Kind.STRING), (Kind.STRING, _TIME)}
_IS_BOOL = frozenset({Kind.BOOL})


def _one(kind: Kind) -> frozenset[Kind]:
    return frozenset({kind})


RESULTS: dict[str, dict[Pair, frozenset[Kind]]] = {
    "+": {
        **_ARITHMETIC,
        (Kind.STRING, Kind.STRING): _one(Kind.STRING),
        (Kind.LIST, Kind.LIST): _one(Kind.LIST),
        (_TIME, _SPAN): _one(_TIME),
        (_SPAN, _TIME): _one(_TIME),
        (_SPAN, _SPAN): _one(_SPAN),
    },
    "-": {
        **_ARITHMETIC,
        (_TIME, _TIME): _one(_SPAN),
        (_TIME, _SPAN): _one(_TIME),
        (_SPAN, _SPAN): _one(_SPAN),
    },
    "*": _ARITHMETIC,
    "/": dict.fromkeys(_ARITHMETIC, frozenset(_NUMBERS)),
    "%": {(_INT, _INT): _one(_INT)},
    "&&": {(Kind.BOOL, Kind.BOOL): _IS_BOOL},
    "||": {(Kind.BOOL, Kind.BOOL): _IS_BOOL},
    "in": {(kind, box): _IS_BOOL for kind in Kind for box in (Kind.LIST, Kind.MAP)},
    **{operator: dict.fromkeys(_ORDER, _IS_BOOL) for operator in ("<", "<=", ">", ">=")},
}
_EQUAL = _ORDER | {(kind, kind) for kind in Kind}
_EQUAL |= {(Kind.NULL, kind) for kind in Kind} | {(kind, Kind.NULL) for kind in Kind}
RESULTS["=="] = RESULTS["!="] = dict.fromkeys(_EQUAL, _IS_BOOL)


def result_kinds(operator: str, left: frozenset[Kind], right: frozenset[Kind]) -> frozenset[Kind]:
    """Return the kinds that may come out, none when the two can never be combined."""
    table = RESULTS[operator]
    return frozenset(kind for a in left for b in right for kind in table.get((a, b), frozenset()))
