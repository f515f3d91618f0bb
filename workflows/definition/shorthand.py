"""Turns the short ways of writing a document into its full form.

The shortest: ``{"name", "steps": [{"kind", "action_key", "cfg"}], "triggers": ["webhook"]}``.
Full documents come back as they are, so that one function serves whatever is handed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from itertools import pairwise
from typing import Any

from leadsend.lib.errors import InvalidInput, Problem
from workflows.definition import canonical, defaults, durations, pointer, slugs, upgrades

# Of the kinds with several ways out, the one on which a chain goes on.
_CHAIN_BRANCH = {"condition": "yes"}
# The columns of their rows hold no more, and drafts have rows of variables.
MAX_NAME = 80
# What names an item in its list.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "steps": ("id",),
    "edges": ("from", "to", "branch_key"),
    "triggers": ("id",),
    "variables": ("key",),
}
_NO_OBJECT = ("form", "", "A workflow document is a JSON object: write {…} around it.")


def expand(data: Any) -> dict[str, Any]:
    """Return the full form of a document that may be written in shorthand.

    Steps without ids get readable ones; steps without edges become a chain; trigger keys become
    triggers; ``{"hot_score": 50}`` becomes a list of variables; "1d" a span of time. What
    validation can speak about stays as it is. Raises InvalidInput when the value is no object, a
    list is none, or a part of one no object: such a thing cannot even be kept as a draft.
    """
    problems = list(canonical.find_problems(data))
    if problems:
        raise InvalidInput(problems[0].message, problems=problems[:20])
    if not isinstance(data, dict):
        raise _refusal([_NO_OBJECT])
    document = deepcopy(data)
    was_given = "edges" in document, "format" in document
    document = _lift(document)
    _expand_steps(document, is_chain=_is_chain(document, *was_given))
    _expand_triggers(document)
    _expand_settings(document)
    return keep(document)


def keep(document: Any) -> dict[str, Any]:
    """Return a document in full form as it is, when it can be kept as a draft.

    That needs objects in its lists whose names are text and stand once, so that operations can
    name them. Raises InvalidInput.
    """
    if not isinstance(document, dict):
        raise _refusal([_NO_OBJECT])
    _check_shape(document)
    full = defaults.fill(document)
    wrong = [problem for part in _NAMES for problem in _name_problems(full, part)]
    if wrong:
        raise _refusal(wrong)
    return full


def expand_step(step: Mapping[str, Any], taken: Iterable[str]) -> dict[str, Any]:
    """Return one step in full form, with an id that is not yet ``taken`` where it has none."""
    result = deepcopy(dict(step))
    _expand_step(result)
    if "id" not in result:
        result["id"] = slugs.unique(_step_slug(result), taken)
    return defaults.fill_part("steps", result)


def _lift(document: dict[str, Any]) -> dict[str, Any]:
    variables = document.get("variables")
    if isinstance(variables, dict):
        document["variables"] = [_variable(key, value) for key, value in variables.items()]
    triggers = document.get("triggers")
    if isinstance(triggers, list):
        document["triggers"] = [_trigger(item) for item in triggers]
    _check_shape(document)
    return upgrades.upgrade(document)


def _check_shape(document: Mapping[str, Any]) -> None:
    wrong: list[tuple[str, str, str]] = []
    for part in _NAMES:
        items = document.get(part, [])
        if not isinstance(items, list):
            wrong.append(("form", pointer.join("", part), f"The {part} are a list: write […]."))
            continue
        wrong += [
            (
                "form",
                pointer.join("", part, at),
                f"Each of the {part} is a JSON object: write {{…}}.",
            )
            for at, item in enumerate(items)
            if not isinstance(item, dict)
        ]
    if wrong:
        raise _refusal(wrong)


def _name_problems(document: Mapping[str, Any], part: str) -> Iterator[tuple[str, str, str]]:
    seen = set()
    for at, item in enumerate(document[part]):
        path = pointer.join("", part, at)
        name = tuple(item.get(field) for field in _NAMES[part])
        if not all(isinstance(value, str) for value in name):
            fields = " and ".join(f"“{field}”" for field in _NAMES[part])
            yield ("form", path, f"Each of the {part} needs {fields} as text.")
            continue
        if any(len(value) > MAX_NAME for value in name):
            yield ("form", path, f"Names are at most {MAX_NAME} characters long: shorten it.")
        if name in seen:
            said = " ".join(f"“{value}”" for value in name)
            yield ("duplicate_id", path, f"{said} stands twice in the {part}: change one of them.")
        seen.add(name)


def _refusal(wrong: list[tuple[str, str, str]]) -> InvalidInput:
    problems = [Problem(code=code, message=message, path=path) for code, path, message in wrong]
    return InvalidInput(problems[0].message, problems=problems)


def _is_chain(document: Mapping[str, Any], has_edges: bool, has_format: bool) -> bool:
    # A canonical document leaves an empty list of edges out, too; it can be told by its format.
    return not has_edges and not (has_format and all("id" in step for step in document["steps"]))


def _expand_steps(document: dict[str, Any], *, is_chain: bool) -> None:
    steps = document["steps"]
    taken = {step["id"] for step in steps if isinstance(step.get("id"), str)}
    for step in steps:
        _expand_step(step)
        if "id" not in step:
            step["id"] = slugs.unique(_step_slug(step), taken)
            taken.add(step["id"])
    if is_chain:
        levels = dict.fromkeys(str(step.get("parent") or "") for step in steps)
        document["edges"] = [
            _chain_edge(first, second)
            for level in levels
            for first, second in pairwise(s for s in steps if str(s.get("parent") or "") == level)
        ]


def _expand_step(step: dict[str, Any]) -> None:
    if "kind" not in step and "action_key" in step:
        step["kind"] = "action"
    retry = step.get("retry")
    if isinstance(retry, int) and not isinstance(retry, bool):
        step["retry"] = {"attempts": retry}
    cfg = step.get("cfg")
    kind = step.get("kind")
    if kind == "delay":
        step["cfg"] = _delay_cfg(cfg)
    elif kind in ("wait", "approval") and isinstance(cfg, dict) and "timeout" in cfg:
        step["cfg"] = cfg | {"timeout": durations.expand(cfg["timeout"])}
    elif kind == "loop":
        step["cfg"] = _loop_cfg(cfg)
    elif kind == "workflow" and isinstance(cfg, str):
        step["cfg"] = {"workflow": cfg}
    elif kind == "condition" and isinstance(cfg, dict) and "op" in cfg:
        step["cfg"] = {"all": [cfg]}
    elif kind == "condition" and isinstance(cfg, list):
        step["cfg"] = {"all": cfg}


def _loop_cfg(cfg: Any) -> Any:
    if isinstance(cfg, str | list):
        return {"list": cfg}
    if not isinstance(cfg, dict):
        return cfg
    result = {**cfg}
    if "pause" in cfg:
        result["pause"] = durations.expand(cfg["pause"])
    backoff = cfg.get("backoff")
    if isinstance(backoff, dict) and "cap" in backoff:
        result["backoff"] = backoff | {"cap": durations.expand(backoff["cap"])}
    return result


def _delay_cfg(cfg: Any) -> Any:
    if isinstance(cfg, str):
        return {"for": durations.expand(cfg)}
    if isinstance(cfg, dict) and "for" in cfg:
        return cfg | {"for": durations.expand(cfg["for"])}
    return cfg


def _step_slug(step: Mapping[str, Any]) -> str:
    kind = step["kind"] if isinstance(step.get("kind"), str) else "step"
    fallback = slugs.slug_of(kind, fallback="step")
    for key in ("title", "action_key"):
        if isinstance(step.get(key), str) and step[key]:
            return slugs.slug_of(step[key], fallback=fallback)
    return fallback


def _chain_edge(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    kind = first.get("kind")
    branch = _CHAIN_BRANCH.get(kind, "default") if isinstance(kind, str) else "default"
    return {"from": first["id"], "to": second["id"], "branch_key": branch}


def _trigger(item: Any) -> Any:
    return {"trigger_key": item} if isinstance(item, str) else item


def _expand_triggers(document: dict[str, Any]) -> None:
    triggers = document["triggers"]
    taken = {item["id"] for item in triggers if isinstance(item.get("id"), str)}
    for item in triggers:
        if "id" not in item:
            key = item.get("trigger_key")
            name = key if isinstance(key, str) else ""
            item["id"] = slugs.unique(slugs.slug_of(name, fallback="trigger"), taken)
            taken.add(item["id"])


def _expand_settings(document: dict[str, Any]) -> None:
    settings = document.get("settings")
    debounce = settings.get("debounce") if isinstance(settings, dict) else None
    if isinstance(debounce, dict) and "for" in debounce:
        debounce["for"] = durations.expand(debounce["for"])


def _variable(key: str, value: Any) -> dict[str, Any]:
    return {"key": key, "type": _type_of(value), "value": value, "secret": False}


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "text" if isinstance(value, str) else "json"
