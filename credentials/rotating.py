"""Seals every stored secret anew under the newest key, while everything goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.db import models

from credentials import vault
from leadsend.lib.errors import ConfigurationError

BATCH = 500


@dataclass(slots=True, kw_only=True)
class Rotation:
    """What became of one column: rows sealed anew, and rows that could not be opened."""

    column: str
    resealed: int = 0
    unreadable: int = 0


def rotate_all() -> list[Rotation]:
    """Seal anew what an older key sealed, in every column named ``sealed…`` of every app.

    A row that changes meanwhile is left as its writer made it (compare-and-set); a row that cannot
    be opened is counted and harms no other. Safe to call twice.
    """
    return [_rotate(model, field) for model, field in sealed_columns()]


def sealed_columns() -> Iterator[tuple[type[models.Model], str]]:
    """Yield the model and field of every column that holds sealed text."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if field.name.startswith(vault.SEALED) and isinstance(field, models.TextField):
                yield model, field.name


def count_outdated(model: type[models.Model], field: str) -> int:
    """Return how many rows an older key still seals."""
    return _outdated(model, field).count()


def _rotate(model: type[models.Model], field: str) -> Rotation:
    done = Rotation(column=f"{model._meta.db_table}.{field}")
    last = None
    while batch := _batch(model, field, last):
        for pk, sealed in batch:
            _reseal(model, field, pk, sealed, done)
        last = batch[-1][0]
    return done


def _reseal(model: type[models.Model], field: str, pk: object, sealed: str, done: Rotation) -> None:
    try:
        values = {field: vault.resealed(sealed)}
    except ConfigurationError:
        done.unreadable += 1
        return
    if any(column.name == "key_id" for column in model._meta.concrete_fields):
        values["key_id"] = vault.current_key_id()
    same = model._base_manager.filter(pk=pk, **{field: sealed})
    done.resealed += same.update(**values)


def _batch(model: type[models.Model], field: str, last: object) -> list[tuple[object, str]]:
    rows = _outdated(model, field).order_by("pk")
    if last is not None:
        rows = rows.filter(pk__gt=last)
    return list(rows.values_list("pk", field)[:BATCH])


def _outdated(model: type[models.Model], field: str) -> models.QuerySet[models.Model]:
    newest = f"{vault.current_key_id()}:"
    rows = model._base_manager.exclude(**{field: ""}).exclude(**{f"{field}__isnull": True})
    return rows.exclude(**{f"{field}__startswith": newest})
