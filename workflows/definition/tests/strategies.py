"""Random documents for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from workflows.definition import defaults

_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(-(2.0**53), 2.0**53),
    _TEXTS,
)


def json_values(max_leaves: int = 12) -> st.SearchStrategy[Any]:
    """Any JSON that has a canonical form."""
    return st.recursive(
        _SCALARS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
        max_leaves=max_leaves,
    )


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Documents of a sound shape, whose settings may be anything."""
    ids = draw(st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=6))
    steps = [draw(_step(step)) for step in ids]
    document: dict[str, Any] = {
        "format": 1,
        "name": draw(_TEXTS),
        "description": draw(_TEXTS),
        "tags": draw(st.lists(_TEXTS, max_size=2)),
        "steps": steps,
        "edges": draw(_edges(ids)) if ids else [],
        "triggers": [draw(_trigger(f"t{n}")) for n in range(draw(st.integers(0, 2)))],
        "variables": [draw(_variable(f"v{n}")) for n in range(draw(st.integers(0, 3)))],
        "settings": draw(
            st.fixed_dictionaries(
                {}, optional={"timezone": st.sampled_from(["UTC", "Europe/Berlin"])}
            )
        ),
    }
    return defaults.fill(document)


def shuffled(value: Any, random: Any) -> Any:
    """Return an equal value whose keys stand in another order."""
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {key: shuffled(value[key], random) for key in keys}
    return [shuffled(item, random) for item in value] if isinstance(value, list) else value


@st.composite
def _step(draw: st.DrawFn, step_id: str) -> dict[str, Any]:
    kind = draw(st.sampled_from(["action", "condition", "delay", "end", "switch"]))
    step: dict[str, Any] = {"id": step_id, "kind": kind}
    if kind == "action":
        step["action_key"] = draw(st.sampled_from(["email_send", "task_create"]))
    optional = {
        "title": _TEXTS,
        "cfg": st.dictionaries(_TEXTS, json_values(6), max_size=3),
        "join": st.sampled_from(["all", "any", {"first": 1}]),
        "retry": st.sampled_from([{}, {"attempts": 3}]),
        "timeout_s": st.integers(1, 100),
        "note": _TEXTS,
    }
    return step | draw(st.fixed_dictionaries({}, optional=optional))


def _edges(ids: list[str]) -> st.SearchStrategy[list[dict[str, str]]]:
    edge = st.fixed_dictionaries(
        {
            "from": st.sampled_from(ids),
            "to": st.sampled_from(ids),
            "branch_key": st.sampled_from(["default", "yes", "no", "error"]),
        }
    )
    return st.lists(edge, max_size=6, unique_by=lambda e: (e["from"], e["to"], e["branch_key"]))


def _trigger(trigger_id: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"id": st.just(trigger_id), "trigger_key": st.sampled_from(["webhook", "schedule"])},
        optional={"cfg": st.dictionaries(_TEXTS, json_values(4), max_size=2)},
    )


def _variable(key: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"key": st.just(key)},
        optional={"type": st.sampled_from(["text", "number"]), "value": json_values(4)},
    )
