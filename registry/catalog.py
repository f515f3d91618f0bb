"""Finds what can be used: the modules of this package, and what other packages announce.

A module of ``registry/actions`` has ``ACTIONS``, one of ``registry/trigger_types`` has
``TRIGGER_TYPES``, one of ``registry/credential_types`` has ``CREDENTIAL_TYPES``, each a tuple.
An installed package announces a module with any of these under the entry point group
``leadsend.actions``.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType

from leadsend.lib.errors import ConfigurationError
from registry.sdk.action import Action
from registry.sdk.trigger import CredentialType, TriggerType

ENTRY_POINTS = "leadsend.actions"
_PACKAGES = ("registry.actions", "registry.trigger_types", "registry.credential_types")


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """All contracts by key; implements ``registry.sdk.catalog_view.CatalogView``."""

    actions: Mapping[str, Action]
    aliases: Mapping[str, str]
    trigger_types: Mapping[str, TriggerType]
    credential_types: Mapping[str, CredentialType]

    def action(self, key: str) -> Action | None:
        """Return the action of this key or alias, or None."""
        return self.actions.get(self.aliases.get(key, key))

    def trigger_type(self, key: str) -> TriggerType | None:
        """Return the trigger type of this key, or None."""
        return self.trigger_types.get(key)

    def credential_type(self, key: str) -> CredentialType | None:
        """Return the credential type of this key, or None."""
        return self.credential_types.get(key)

    def action_keys(self) -> Iterable[str]:
        """Return all keys, aliases left out."""
        return self.actions.keys()

    def trigger_keys(self) -> Iterable[str]:
        """Return all keys."""
        return self.trigger_types.keys()


@lru_cache(maxsize=1)
def catalog() -> Catalog:
    """Return the catalogue of this process. Raises ConfigurationError for a key used twice."""
    return collect(_modules())


def collect(modules: Iterable[ModuleType]) -> Catalog:
    """Return the catalogue of these modules. Raises ConfigurationError for a key used twice."""
    found = list(modules)
    actions = [action for module in found for action in getattr(module, "ACTIONS", ())]
    triggers = [kind for module in found for kind in getattr(module, "TRIGGER_TYPES", ())]
    credentials = [kind for module in found for kind in getattr(module, "CREDENTIAL_TYPES", ())]
    aliases = {alias: action.key for action in actions for alias in action.aliases}
    _refuse_twice(
        [action.key for action in actions]
        + [alias for action in actions for alias in action.aliases]
    )
    _refuse_twice([kind.key for kind in triggers])
    _refuse_twice([kind.key for kind in credentials])
    return Catalog(
        actions={action.key: action for action in actions},
        aliases=aliases,
        trigger_types={kind.key: kind for kind in triggers},
        credential_types={kind.key: kind for kind in credentials},
    )


def _modules() -> Iterator[ModuleType]:
    for name in _PACKAGES:
        package = import_module(name)
        for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda item: item.name):
            if not found.ispkg:
                yield import_module(f"{name}.{found.name}")
    for announced in sorted(entry_points(group=ENTRY_POINTS), key=lambda item: item.name):
        module = announced.load()
        if not isinstance(module, ModuleType):
            raise ConfigurationError(
                f"The entry point {announced.name} of {ENTRY_POINTS} must name a module."
            )
        yield module


def _refuse_twice(keys: list[str]) -> None:
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ConfigurationError(f"These keys are used twice: {', '.join(twice)}.")
