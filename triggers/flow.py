"""The settings of a live version that count when an event comes, before there is a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final, Literal

import orjson

from workflows.definition import durations

Policy = Literal["queue", "drop_new", "cancel_old", "coalesce"]

_KEPT: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    """How many runs of one key may have begun and not ended, and what becomes of the next."""

    key: str
    most: int
    policy: Policy
    is_strict: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Debounce:
    """A run begins ``span`` after the last event of its key."""

    key: str
    span: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What the settings say of when executions begin; keys are texts with holes."""

    priority: int = 0
    concurrency: Concurrency | None = None
    debounce: Debounce | None = None

    @property
    def holds_back(self) -> bool:
        """Say whether an event may have to wait, or to give way to another one."""
        return self.concurrency is not None or self.debounce is not None


@lru_cache(maxsize=_KEPT)
def flow_of(settings_text: str | None) -> Flow:
    """Return the settings of a published document; ``settings_text`` is their JSON."""
    settings = orjson.loads(settings_text) if settings_text else {}
    return Flow(
        priority=settings.get("priority") or 0,
        concurrency=_concurrency(settings.get("concurrency") or {}),
        debounce=_debounce(settings.get("debounce") or {}),
    )


@lru_cache(maxsize=_KEPT)
def scheduled_flow_of(settings_text: str | None, cfg_text: str, source: str) -> Flow:
    """Return the flow of a schedule's trigger: its ``overlap`` holds back runs of the schedule.

    Publishing sees to it that a workflow with a concurrency key of its own has no ``overlap``.
    """
    flow = flow_of(settings_text)
    policy = orjson.loads(cfg_text).get("overlap", "allow")
    if policy == "allow" or flow.concurrency is not None:
        return flow
    return replace(
        flow, concurrency=Concurrency(key=source, most=1, policy=policy, is_strict=False)
    )


def _concurrency(rule: Mapping[str, Any]) -> Concurrency | None:
    if not rule:
        return None
    return Concurrency(
        key=rule["key"],
        most=rule.get("limit", 1),
        policy=rule.get("policy", "queue"),
        is_strict=rule.get("strict_order", False),
    )


def _debounce(rule: Mapping[str, Any]) -> Debounce | None:
    return Debounce(key=rule["key"], span=durations.span(rule["for"])) if rule else None
