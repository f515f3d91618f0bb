"""How parts of a document are named in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def label_of(step: Mapping[str, Any]) -> str:
    """Return a step's title in quotes, or its id where it has none."""
    title = step.get("title")
    return f"“{title}”" if isinstance(title, str) and title else f"“{step.get('id', '?')}”"


def short(value: Any, limit: int = 40) -> str:
    """Return a value as a few words: text in quotes, lists and objects by their size."""
    if isinstance(value, str):
        text = " ".join(value.split())
        return f"“{text if len(text) <= limit else text[: limit - 1] + '…'}”"
    if isinstance(value, list):
        return f"{len(value)} {'entry' if len(value) == 1 else 'entries'}"
    if isinstance(value, Mapping):
        return f"{len(value)} {'setting' if len(value) == 1 else 'settings'}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "nothing" if value is None else str(value)


def human(name: str) -> str:
    """Return an identifier as words: ``timeout_s`` → "Timeout s"."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
