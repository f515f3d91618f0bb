"""The settings of loops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

MODES: Final = ("each", "until")
ON_ERROR: Final = ("stop", "continue", "collect")
DEEPEST: Final = 3  # loops in each other
# What the canonical form leaves out.
DEFAULTS: Final[dict[str, Any]] = {
    "mode": "each",
    "batch_size": 1,
    "concurrency": 1,
    "on_error": "stop",
    "max_items": 10_000,
    "max_rounds": 100,
}
_DURATION: Final = {"$ref": "#/$defs/duration"}
LOOP: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "mode": {"enum": list(MODES)},
        "list": {"type": ["string", "array"]},
        "batch_size": {"type": "integer", "minimum": 1, "maximum": 1000},
        "concurrency": {"type": "integer", "minimum": 1, "maximum": 50},
        "max_items": {"type": "integer", "minimum": 1, "maximum": 100_000},
        "until": {"$ref": "#/$defs/condition"},
        "pause": _DURATION,
        "backoff": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "factor": {"type": "number", "minimum": 1, "maximum": 10},
                "cap": _DURATION,
            },
        },
        "max_rounds": {"type": "integer", "minimum": 1, "maximum": 10_000},
        "on_error": {"enum": list(ON_ERROR)},
        "output": {},
    },
}
