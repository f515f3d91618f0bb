"""How the pure packages look up what can be used, without knowing where it is kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from registry.sdk.action import Action
from registry.sdk.trigger import TriggerType


class CatalogView(Protocol):
    """The actions and trigger types there are; aliases are found too."""

    def action(self, key: str) -> Action | None:
        """Return the action of this key or alias, or None."""
        ...

    def trigger_type(self, key: str) -> TriggerType | None:
        """Return the trigger type of this key, or None."""
        ...

    def action_keys(self) -> Iterable[str]:
        """Return all keys, aliases left out."""
        ...

    def trigger_keys(self) -> Iterable[str]:
        """Return all keys."""
        ...
