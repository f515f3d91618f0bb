"""The contract of a trigger type and of a credential type."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something wrong with settings: ``path`` leads to the place, ``message`` says what to change."""

    code: str
    path: tuple[str | int, ...]
    message: str


def _no_faults(_cfg: Mapping[str, Any]) -> Iterator[Fault]:
    yield from ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerType:
    """One way in which work starts.

    ``event_schema`` describes the root ``event`` of expressions. ``contact`` names the paths of
    whom the event is about: ``{"email": "event.email", "name": "event.name"}``. ``stored_type`` is
    the ``trigger_type`` that executions carry (``database webhook schedule manual api …``).
    ``preset_of`` and ``preset_cfg`` make a type that is another one with fixed settings.
    ``find_faults`` yields what is wrong with settings beyond what their schema says; it gets them as
    they were given, whatever their shape.
    """

    key: str
    version: int
    title: str
    sentence: str
    description: str
    icon: str
    stored_type: str
    config_schema: Mapping[str, Any]
    event_schema: Mapping[str, Any]
    sample_event: Mapping[str, Any]
    contact: Mapping[str, str] = field(default_factory=dict)
    preset_of: str = ""
    preset_cfg: Mapping[str, Any] = field(default_factory=dict)
    find_faults: Callable[[Mapping[str, Any]], Iterator[Fault]] = _no_faults


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialType:
    """One form of authentication data; ``secret_fields`` are write-only and stored encrypted."""

    key: str
    title: str
    description: str
    icon: str
    config_schema: Mapping[str, Any]
    secret_fields: tuple[str, ...]
