"""Mirrors the catalogue of the code into the registry tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from leadsend.lib import clock
from registry.catalog import Catalog, catalog
from registry.models import ActionEntry, CredentialTypeEntry, RegistryEntry, TriggerEntry
from registry.sdk.action import Action
from registry.sdk.trigger import CredentialType, TriggerType


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One row that was, or would be, changed. ``what``: added, updated or deprecated."""

    table: str
    key: str
    what: str
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.table} {self.key}: {self.what} {', '.join(self.fields)}".rstrip()


def seed_registry(*, known: Catalog | None = None, write: bool = True) -> list[Change]:
    """Bring the registry tables to the state of the catalogue and return what changed.

    Rows are added and updated; one whose key left the code is marked deprecated, for old versions
    name it. Whether an entry is switched on stays the operator's. With ``write`` false nothing is
    written. Idempotent.
    """
    source = known or catalog()
    wanted: list[tuple[type[RegistryEntry], dict[str, Mapping[str, Any]]]] = [
        (ActionEntry, {item.key: _action(item) for item in source.actions.values()}),
        (TriggerEntry, {item.key: _trigger(item) for item in source.trigger_types.values()}),
        (
            CredentialTypeEntry,
            {item.key: _credential_type(item) for item in source.credential_types.values()},
        ),
    ]
    with transaction.atomic():
        return [change for model, rows in wanted for change in _mirror(model, rows, write=write)]


def _mirror(
    model: type[RegistryEntry], wanted: Mapping[str, Mapping[str, Any]], *, write: bool
) -> Iterable[Change]:
    table = model._meta.db_table
    manager = model._default_manager
    stored = {row.key: row for row in manager.select_for_update().all()}
    for key, values in wanted.items():
        row = stored.get(key)
        if row is None:
            if write:
                manager.create(key=key, **values)
            yield Change(table=table, key=key, what="added")
            continue
        fields = _differing(row, {**values, "is_deprecated": False})
        if fields:
            if write:
                _update(row, {**values, "is_deprecated": False})
            yield Change(table=table, key=key, what="updated", fields=fields)
    for key in sorted(stored.keys() - wanted.keys()):
        if not stored[key].is_deprecated:
            if write:
                _update(stored[key], {"is_deprecated": True})
            yield Change(table=table, key=key, what="deprecated")


def _differing(row: RegistryEntry, values: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name, value in values.items() if getattr(row, name) != value)


def _update(row: RegistryEntry, values: Mapping[str, Any]) -> None:
    changed = {**values, "updated_at": clock.now()}
    type(row)._default_manager.filter(pk=row.pk).update(**changed)


def _action(action: Action) -> Mapping[str, Any]:
    return {
        "version": action.version,
        "title": action.title,
        "description": action.description,
        "icon": action.icon,
        "config_schema": _plain(action.config_schema),
        "sentence": action.sentence,
        "category": action.category,
        "delivery": action.delivery.value,
        "aliases": list(action.aliases),
        "output_schema": _plain(action.output_schema),
        "example": _plain(action.example),
        "sample_output": _plain(action.sample_output),
    }


def _trigger(kind: TriggerType) -> Mapping[str, Any]:
    return {
        "version": kind.version,
        "title": kind.title,
        "description": kind.description,
        "icon": kind.icon,
        "config_schema": _plain(kind.config_schema),
        "sentence": kind.sentence,
        "stored_type": kind.stored_type,
        "event_schema": _plain(kind.event_schema),
        "sample_event": _plain(kind.sample_event),
    }


def _credential_type(kind: CredentialType) -> Mapping[str, Any]:
    return {
        "title": kind.title,
        "description": kind.description,
        "icon": kind.icon,
        "config_schema": _plain(kind.config_schema),
        "secret_fields": list(kind.secret_fields),
    }


def _plain(value: Any) -> Any:
    """Return JSON as it comes back from the database, so that comparing works."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
