"""The steps that wait to be answered, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.sdk.catalog_view import CatalogView
from registry.sdk.sentences import words_of


def waiting_sentence(step: Mapping[str, Any], *, catalog: CatalogView) -> str:
    """Return what a wait, approval or workflow step does, in words."""
    cfg = step.get("cfg")
    given: Mapping[str, Any] = cfg if isinstance(cfg, Mapping) else {}
    if step.get("kind") == "workflow":
        called = words_of(given.get("workflow"), {}) or "a workflow not chosen yet"
        if given.get("mode") == "forget":
            return f"Starts the workflow “{called}” and goes on"
        return f"Runs the workflow “{called}” and waits for its end"
    if step.get("kind") == "approval":
        who = words_of(given.get("assignee"), {}) or "somebody"
        asked = words_of(given.get("title"), {}) or "…"
        return f"Asks {who} to decide: “{asked}”{_limit(given)}"
    return f"Waits for {_awaited(given, catalog)}{_limit(given)}"


def _awaited(cfg: Mapping[str, Any], catalog: CatalogView) -> str:
    match cfg.get("for"):
        case "reply":
            return f"a reply to “{cfg.get('step')}”" if cfg.get("step") else "a reply"
        case "answer":
            return f"the answer to “{cfg.get('step')}”" if cfg.get("step") else "an answer"
        case _:
            kind = catalog.trigger_type(str(cfg.get("trigger_key", "")))
            title = kind.title if kind else str(cfg.get("source") or "something not chosen yet")
            key = words_of(cfg.get("key"), {})
            return f"“{title}” about {key}" if key else f"“{title}”"


def _limit(cfg: Mapping[str, Any]) -> str:
    timeout = cfg.get("timeout")
    if not isinstance(timeout, Mapping):
        return ""
    if "until" in timeout:
        return f", at most until {words_of(timeout['until'], {})}"
    return f", at most {words_of(timeout, {})}"
