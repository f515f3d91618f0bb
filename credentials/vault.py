"""Seals secrets and opens them, for the moment in which they are needed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async

from credentials import encryption
from credentials.models import UserCredential
from leadsend.lib import clock
from leadsend.lib.errors import ConfigurationError
from leadsend.lib.redaction import register_secrets

SEALED = "sealed"
# Noting every use would write a row for each call; once a minute tells the same.
_USE_NOTED_EVERY_S = 60


def seal(plaintext: str, *, owner_id: UUID, field: str) -> str:
    """Return the ciphertext of a secret that opens only in this row and field.

    ``owner_id`` is the primary key of the row that will hold it, ``field`` the column's name.
    """
    envelope = {"owner": str(owner_id), "field": field, "value": plaintext}
    return encryption.encrypt(json.dumps(envelope, ensure_ascii=False))


def unseal(sealed: str, *, owner_id: UUID, field: str) -> str:
    """Return the secret, and hide it from the logs of this context from now on.

    Raises ConfigurationError that says whether a key is missing, the ciphertext is damaged, or it
    was moved here from another row.
    """
    envelope = json.loads(_opened(sealed.encode()))
    if (envelope["owner"], envelope["field"]) != (str(owner_id), field):
        raise ConfigurationError(
            "This secret was sealed for another place and does not open here: enter it again.",
            code="secret_moved",
        )
    value = str(envelope["value"])
    register_secrets([value])
    return value


def seal_bytes(data: bytes, *, owner_id: UUID, field: str) -> bytes:
    """Return the ciphertext of much data that opens only for this owner under this name."""
    return encryption.encrypt_bytes(_bound(owner_id, field) + data)


def unseal_bytes(sealed: bytes, *, owner_id: UUID, field: str) -> bytes:
    """Return the data. Raises ConfigurationError as ``unseal`` does."""
    opened = _opened(sealed)
    bound = _bound(owner_id, field)
    if not opened.startswith(bound):
        raise ConfigurationError("This data was sealed for another place.", code="secret_moved")
    return opened[len(bound) :]


def seal_fields(fields: Mapping[str, str], *, owner_id: UUID) -> str:
    """Return the ciphertext of a credential's secret fields."""
    return seal(json.dumps(dict(fields), ensure_ascii=False), owner_id=owner_id, field=SEALED)


def open_credential(credential_id: str | UUID, *, project_id: UUID) -> Mapping[str, str]:
    """Return a credential's fields, public and secret, with ``type`` (its key); queries.

    The secrets are hidden from the logs of this context from now on. Raises ConfigurationError
    when the project has no such credential or it cannot be opened.
    """
    row = _row(credential_id, project_id)
    secrets = json.loads(unseal(row["sealed"], owner_id=row["pk"], field=SEALED))
    register_secrets(secrets.values())
    _note_use(row["pk"], row["last_used_at"])
    public = {name: str(value) for name, value in row["public"].items()}
    return {**public, **secrets, "type": row["type__key"]}


async def open_credential_async(
    credential_id: str | UUID, *, project_id: UUID
) -> Mapping[str, str]:
    """Do the same from an event loop: the query runs in a thread.

    Call it inside ``forgetting_secrets``, so that the secrets are hidden until the step ends.
    """
    opened = sync_to_async(open_credential, thread_sensitive=False)
    return await opened(credential_id, project_id=project_id)


def current_key_id() -> str:
    """Return the id of the key that seals now."""
    return encryption.keyring().current_id


def resealed(sealed: str) -> str:
    """Return the same envelope under the newest key. Raises ConfigurationError."""
    return encryption.encrypt_bytes(_opened(sealed.encode())).decode()


def _bound(owner_id: UUID, field: str) -> bytes:
    return owner_id.bytes + sha256(field.encode()).digest()


def _opened(sealed: bytes) -> bytes:
    try:
        return encryption.decrypt_bytes(sealed)
    except encryption.UnknownKeyError as error:
        raise ConfigurationError(
            f"The key {error.args[0]} that sealed this secret is missing: "
            "put it back into FERNET_KEYS, or enter the secret again.",
            code="key_missing",
        ) from error
    except encryption.DamagedError as error:
        raise ConfigurationError(
            "The stored secret is damaged: enter it again.", code="secret_damaged"
        ) from error


def _row(credential_id: str | UUID, project_id: UUID) -> dict[str, Any]:
    missing = ConfigurationError(
        "The connection that this step uses does not exist any more: choose another.",
        code="no_such_connection",
    )
    try:
        wanted = UUID(str(credential_id))
    except ValueError as error:
        raise missing from error
    rows = UserCredential.objects.filter(pk=wanted, project_id=project_id)
    row = rows.values("pk", SEALED, "public", "last_used_at", "type__key").first()
    if row is None:
        raise missing
    found: dict[str, Any] = row
    return found


def _note_use(credential_id: UUID, noted_at: datetime | None) -> None:
    now = clock.now()
    if noted_at is None or (now - noted_at).total_seconds() > _USE_NOTED_EVERY_S:
        UserCredential.objects.filter(pk=credential_id).update(last_used_at=now)
