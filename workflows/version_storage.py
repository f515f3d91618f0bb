"""Keeps published documents as objects: ``{workflow id}/v{n}.json`` in the bucket of workflows.

The object is the canonical document byte for byte. It is written before its version exists, so a
version that can be seen always has its object; one left over from a publish that was rolled back
is harmless and is overwritten by the next.
"""

from __future__ import annotations

from uuid import UUID

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
)
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages

from leadsend.lib.errors import NotFound, Unavailable
from leadsend.lib.ids import uuid7
from workflows.definition import canonical

_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})


def key_of(workflow_id: UUID, version_num: int) -> str:
    """Return the object's key inside the bucket."""
    return f"{workflow_id}/v{version_num}.json"


def address_of(workflow_id: UUID, version_num: int) -> str:
    """Return the address as it stands in ``workflow_version.s3_key``."""
    return f"s3://{settings.S3_BUCKET}/{key_of(workflow_id, version_num)}"


def write(workflow_id: UUID, version_num: int, data: bytes) -> str:
    """Write a canonical document, read it back, compare, and return its address.

    Blocks for the storage's answer. Raises Unavailable when the storage is away or returns
    something else than was written.
    """
    key = key_of(workflow_id, version_num)
    try:
        saved = _storage().save(key, ContentFile(data))
    except (BotoCoreError, ClientError, OSError) as error:
        raise _away(error) from error
    if saved != key or canonical.hash_of(read(workflow_id, version_num)) != canonical.hash_of(data):
        raise Unavailable(
            f"The object storage did not keep {key} as it was written; nothing was published."
        )
    return address_of(workflow_id, version_num)


def read(workflow_id: UUID, version_num: int) -> bytes:
    """Return the object's bytes. Raises NotFound, or Unavailable when the storage is away."""
    key = key_of(workflow_id, version_num)
    try:
        with _storage().open(key) as stored:
            data: bytes = stored.read()
    except FileNotFoundError as error:
        raise NotFound(f"The object storage has no {key}.") from error
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _ABSENT:
            raise NotFound(f"The object storage has no {key}.") from error
        raise _away(error) from error
    except (BotoCoreError, OSError) as error:
        raise _away(error) from error
    return data


def probe() -> None:
    """Write, read and delete a small object. Raises Unavailable when one of them fails."""
    key, data = f"probe/{uuid7()}", b"probe"
    try:
        _storage().save(key, ContentFile(data))
        with _storage().open(key) as stored:
            is_same = stored.read() == data
        _storage().delete(key)
    except (BotoCoreError, ClientError, OSError) as error:
        raise _away(error) from error
    if not is_same:
        raise Unavailable("An object came back from the storage changed: look at what is between.")


def _storage() -> Storage:
    return storages["objects"]


def _away(error: Exception) -> Unavailable:
    return Unavailable(
        "The object storage cannot be reached, so nothing was changed; try again in a while. "
        f"(S3_ENDPOINT_URL, S3_BUCKET; it said: {error})"
    )
