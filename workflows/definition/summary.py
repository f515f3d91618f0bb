"""What changed between two documents, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from workflows.definition import defaults
from workflows.definition.words import human, label_of, short

MAX_SENTENCES = 100
_META = {"name": "name", "description": "description", "category": "category", "tags": "tags"}
_STEP_FIELDS = {
    "title": "title",
    "note": "note",
    "kind": "kind",
    "action_key": "action",
    "join": "way of waiting for branches",
    "retry": "retries",
    "timeout_s": "time limit",
    "parent": "loop it stands in",
}
_ABSENT = object()


def describe_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each change from ``before`` to ``after``; none for equal ones.

    Both are full or canonical documents; at most ``MAX_SENTENCES`` sentences come back.
    """
    old, new = defaults.fill(before), defaults.fill(after)
    sentences = [
        *_meta(old, new),
        *_parts(old, new, "triggers", "id", "trigger"),
        *_parts(old, new, "steps", "id", "step"),
        *_edges(old, new),
        *_parts(old, new, "variables", "key", "variable"),
        *_fields(old["settings"], new["settings"], "the setting", {}),
    ]
    if len(sentences) > MAX_SENTENCES:
        rest = len(sentences) - MAX_SENTENCES + 1
        return [*sentences[: MAX_SENTENCES - 1], f"… and {rest} more changes."]
    return sentences


def _meta(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key, name in _META.items():
        if old.get(key) != new.get(key):
            yield f"Changed the {name} from {short(old.get(key))} to {short(new.get(key))}."


def _parts(
    old: Mapping[str, Any], new: Mapping[str, Any], part: str, field: str, noun: str
) -> Iterator[str]:
    was = {item[field]: item for item in old[part]}
    now = {item[field]: item for item in new[part]}
    for name, item in was.items():
        if name not in now:
            yield f"Removed the {noun} {_label(item, field)}."
    for name, item in now.items():
        if name not in was:
            yield f"Added the {noun} {_label(item, field)}{_kind_of(item, noun)}."
        else:
            of = f" of {_label(item, field)}"
            yield from _item(was[name], item, of)
    common_was = [name for name in was if name in now]
    if common_was != [name for name in now if name in was]:
        yield f"Changed the order of the {noun}s."


def _item(was: Mapping[str, Any], now: Mapping[str, Any], of: str) -> Iterator[str]:
    plain_was = {key: value for key, value in was.items() if key != "cfg"}
    plain_now = {key: value for key, value in now.items() if key != "cfg"}
    yield from _fields(plain_was, plain_now, "the", _STEP_FIELDS, of)
    yield from _fields(was.get("cfg", {}), now.get("cfg", {}), "the setting", {}, of)


def _fields(was: Any, now: Any, lead: str, names: Mapping[str, str], of: str = "") -> Iterator[str]:
    if not isinstance(was, Mapping) or not isinstance(now, Mapping):
        if was != now:
            yield f"Changed the settings{of}."
        return
    for key in [*was, *(key for key in now if key not in was)]:
        old, new = was.get(key, _ABSENT), now.get(key, _ABSENT)
        if old is new or old == new:
            continue
        what = f"{lead} {names[key] if key in names else f'“{human(key)}”'}{of}"
        yield _change(what, old, new)


def _change(what: str, old: Any, new: Any) -> str:
    if old is _ABSENT:
        return f"Set {what} to {short(new)}."
    if new is _ABSENT:
        return f"Removed {what} (it was {short(old)})."
    if short(old) == short(new):
        return f"Changed {what}."
    return f"Changed {what} from {short(old)} to {short(new)}."


def _edges(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    was, now = [_link(edge) for edge in old["edges"]], [_link(edge) for edge in new["edges"]]
    labels = {step["id"]: label_of(step) for step in [*old["steps"], *new["steps"]]}
    for link in was:
        if link not in now:
            yield f"{_ends(link, labels)} no longer follow each other{_branch(link)}."
    for link in now:
        if link not in was:
            source, target, _ = link
            first, second = labels.get(source, f"“{source}”"), labels.get(target, f"“{target}”")
            yield f"After {first} comes {second}{_branch(link)}."
    if was != now and sorted(was) == sorted(now):
        yield "Changed the order of the links."


def _link(edge: Mapping[str, Any]) -> tuple[str, str, str]:
    return (str(edge.get("from")), str(edge.get("to")), str(edge.get("branch_key")))


def _ends(link: tuple[str, str, str], labels: Mapping[str, str]) -> str:
    return " and ".join(labels.get(end, f"“{end}”") for end in link[:2])


def _branch(link: tuple[str, str, str]) -> str:
    return "" if link[2] == "default" else f" on the branch “{link[2]}”"


def _label(item: Mapping[str, Any], field: str) -> str:
    return label_of({"title": item.get("title"), "id": item[field]})


def _kind_of(item: Mapping[str, Any], noun: str) -> str:
    if noun == "step":
        return f" ({item.get('action_key') or item.get('kind')})"
    return f" ({item.get('trigger_key')})" if noun == "trigger" else ""
