"""Creates, changes and deletes credentials; their secrets go in and never come out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from jsonschema import Draft202012Validator

from credentials import vault
from credentials.models import UserCredential
from leadsend.access.models import User
from leadsend.lib import clock, ids
from leadsend.lib.errors import Conflict, InvalidInput, Problem
from registry.catalog import catalog
from registry.models import CredentialTypeEntry
from registry.sdk.trigger import CredentialType

HINT_LENGTH = 4
# Of a shorter secret four letters would be a good part.
_SHORTEST_HINTED = 16


def create_credential(
    *, project_id: UUID, owner: User, name: str, type_key: str, fields: Mapping[str, Any]
) -> UserCredential:
    """Store a new credential. Raises InvalidInput with a problem per field, or Conflict (name)."""
    kind = _kind(type_key)
    _check(kind, fields)
    row = UserCredential(id=ids.uuid7(), project_id=project_id, owner=owner, name=name.strip())
    row.type = CredentialTypeEntry.objects.get(key=type_key)
    _fill(row, kind, fields)
    with _one_name_once(row.name):
        row.save(force_insert=True)
    return row


def change_credential(
    row: UserCredential, *, name: str | None = None, fields: Mapping[str, Any] | None = None
) -> UserCredential:
    """Rename a credential, or change the fields that are given; a secret left out stays.

    Raises InvalidInput with a problem per field, Conflict when the name is taken.
    """
    with transaction.atomic():
        locked: UserCredential = (
            UserCredential.objects.defer(None)
            .select_for_update(of=("self",))
            .select_related("type")
            .get(pk=row.pk)
        )
        if name is not None:
            locked.name = name.strip()
        if fields:
            kind = _kind(locked.type.key)
            merged = {**_all_fields(locked), **fields}
            _check(kind, merged)
            _fill(locked, kind, merged)
        locked.updated_at = clock.now()
        with _one_name_once(locked.name):
            locked.save(force_update=True)
    return locked


def delete_credential(row: UserCredential) -> None:
    """Delete a credential. Raises Conflict while something still refers to it."""
    try:
        row.delete()
    except ProtectedError as error:
        raise Conflict(f"“{row.name}” is still in use: take it out there first.") from error


def _kind(type_key: str) -> CredentialType:
    kind = catalog().credential_type(type_key)
    if kind is None:
        known = ", ".join(sorted(catalog().credential_types))
        raise InvalidInput(f"There is no type {type_key!r} of connections: choose {known}.")
    return kind


def _check(kind: CredentialType, fields: Mapping[str, Any]) -> None:
    """Refuse fields that do not fit; the messages never repeat a value, which may be secret."""
    problems = [
        Problem(
            code=str(error.validator),
            message=_said(kind, error.validator, error.path, error.validator_value, fields),
            path="/fields/" + "/".join(str(part) for part in error.path),
        )
        for error in Draft202012Validator(kind.config_schema).iter_errors(dict(fields))
    ]
    if problems:
        raise InvalidInput(problems[0].message, problems=problems)


def _said(kind: CredentialType, validator: Any, path: Any, value: Any, fields: Any) -> str:
    properties: Mapping[str, Any] = kind.config_schema["properties"]
    if validator == "required":
        missing = [properties[name]["title"] for name in value if name not in fields]
        return f"Fill in {' and '.join(missing)}."
    if validator == "additionalProperties":
        unknown = sorted(set(fields) - set(properties))
        return f"There is no field {', '.join(unknown)} here: {', '.join(properties)} are known."
    name = str(path[0]) if path else ""
    return f"{properties.get(name, {}).get('title', name)} is not filled in as it should be."


def _fill(row: UserCredential, kind: CredentialType, fields: Mapping[str, Any]) -> None:
    secrets = {name: str(fields[name]) for name in kind.secret_fields if name in fields}
    row.public = {name: value for name, value in fields.items() if name not in secrets}
    row.sealed = vault.seal_fields(secrets, owner_id=row.pk)
    row.key_id = vault.current_key_id()
    row.hint = _hint(next(iter(secrets.values()), ""))


def _hint(secret: str) -> str:
    return secret[-HINT_LENGTH:] if len(secret) >= _SHORTEST_HINTED else ""


def _all_fields(row: UserCredential) -> dict[str, Any]:
    opened = vault.unseal(row.sealed, owner_id=row.pk, field=vault.SEALED)
    return {**row.public, **json.loads(opened)}


@contextmanager
def _one_name_once(name: str) -> Iterator[None]:
    """Turn the constraint on names into a sentence."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if "credential_name_once" not in str(error):
            raise
        raise Conflict(f"There is already a connection named “{name}”.") from error
