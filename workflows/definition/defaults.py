"""What may be left out of a document, and what it then means."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from workflows.definition import loop_schemas

FORMAT = 1

# Present in the full form, left out of the canonical one.
_FILLED: dict[str, dict[str, Any]] = {
    "document": {
        "description": "",
        "category": "",
        "tags": [],
        "settings": {},
        "variables": [],
        "triggers": [],
        "steps": [],
        "edges": [],
    },
    "steps": {"cfg": {}},
    "edges": {"branch_key": "default"},
    "triggers": {"cfg": {}, "filter_conditions": {}},
    "variables": {"type": "text", "secret": False},
}
# Left out of both forms.
_UNSAID: dict[str, dict[str, Any]] = {
    "document": {},
    "steps": {
        "title": "",
        "note": "",
        "parent": "",
        "join": "all",
        "retry": {},
        "action_key": "",
        "undo": "",
    },
    "edges": {},
    "triggers": {"title": ""},
    "variables": {"title": "", "description": "", "value": None},
}
_SETTINGS: dict[str, Any] = {
    "timezone": "UTC",
    "business_key": "",
    "on_failure": "",
    "priority": 0,
    "concurrency": {},
    "debounce": {},
    "retention": {},
}
_CONCURRENCY: dict[str, Any] = {"limit": 1, "policy": "queue", "strict_order": False}
_PARTS = ("steps", "edges", "triggers", "variables")


def fill(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy in full form: lists, cfg and branch keys present, other defaults left out.

    Parts of the wrong shape stay as they are, for validation to speak about.
    """
    result: dict[str, Any] = _fill_one(document, "document")
    result.setdefault("format", FORMAT)
    result["settings"] = _settings(result["settings"])
    for part in _PARTS:
        if isinstance(result[part], list):
            result[part] = [_fill_one(item, part) for item in result[part]]
    return result


def fill_part(part: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """Return one of the ``steps``, ``edges``, ``triggers`` or ``variables`` in full form."""
    filled: dict[str, Any] = _fill_one(item, part)
    return filled


def strip(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy without anything that equals its default; ``format`` always stays."""
    result = fill(document)
    for part in _PARTS:
        if isinstance(result[part], list):
            result[part] = [_without(item, _FILLED[part]) for item in result[part]]
    return {
        key: value
        for key, value in result.items()
        if not _is_default(key, value, _FILLED["document"])
    }


def _settings(settings: Any) -> Any:
    if isinstance(settings, Mapping) and "concurrency" in settings:
        settings = {**settings, "concurrency": _without(settings["concurrency"], _CONCURRENCY)}
    return _without(settings, _SETTINGS)


def _fill_one(item: Any, part: str) -> Any:
    if not isinstance(item, Mapping):
        return deepcopy(item)
    kept = _without(deepcopy(dict(item)), _UNSAID[part])
    if part == "steps" and kept.get("kind") == "loop" and "cfg" in kept:
        kept["cfg"] = _without(kept["cfg"], loop_schemas.DEFAULTS)
    return deepcopy(_FILLED[part]) | kept


def _without(item: Any, defaults: Mapping[str, Any]) -> Any:
    if not isinstance(item, Mapping):
        return item
    return {key: value for key, value in item.items() if not _is_default(key, value, defaults)}


def _is_default(key: Any, value: Any, defaults: Mapping[str, Any]) -> bool:
    if key not in defaults:
        return False
    default = defaults[key]
    # 0 == False in Python, but not in JSON.
    return type(value) is type(default) and value == default
