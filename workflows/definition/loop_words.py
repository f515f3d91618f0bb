"""Loops in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.sdk.sentences import words_of


def loop_sentence(cfg: Mapping[str, Any], *, until: str) -> str:
    """Return what a loop does, in words; ``until`` is its condition as a sentence."""
    if cfg.get("mode") == "until":
        most = cfg.get("max_rounds", 100)
        pause = f", every {words_of(cfg['pause'], {})}" if cfg.get("pause") else ""
        return f"Repeats until {until}{pause}, at most {most} times"
    items = cfg.get("list")
    if isinstance(items, list):
        what = f"{len(items)} items"
    else:
        what = words_of(items, {}) or "a list not chosen yet"
    size = cfg.get("batch_size", 1)
    each = "each item" if size == 1 else f"every {size} items"
    many = cfg.get("concurrency", 1)
    return f"For {each} of {what}" + (f", {many} at a time" if many != 1 else "")


def body_label(cfg: Mapping[str, Any]) -> str:
    """Return how the steps inside a loop are introduced."""
    return "Each time" if cfg.get("mode") == "until" else "For each item"
