"""Keeps published documents as objects: ``{workflow id}/v{n}.json`` in the bucket of workflows.

The object is the canonical document byte for byte. It is written before its version exists, so a
version that can be seen always has its object; one left over from a publish that was rolled back
is harmless and is overwritten by the next.
"""

from __future__ import annotations

from uuid import UUID

from django.conf import settings

from leadsend.lib import objects
from leadsend.lib.errors import Unavailable
from leadsend.lib.ids import uuid7
from workflows.definition import canonical


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
    objects.put(key, data)
    if canonical.hash_of(read(workflow_id, version_num)) != canonical.hash_of(data):
        raise Unavailable(
            f"The object storage did not keep {key} as it was written; nothing was published."
        )
    return address_of(workflow_id, version_num)


def read(workflow_id: UUID, version_num: int) -> bytes:
    """Return the object's bytes. Raises NotFound, or Unavailable when the storage is away."""
    return objects.get(key_of(workflow_id, version_num))


def probe() -> None:
    """Write, read and delete a small object. Raises Unavailable when one of them fails."""
    key, data = f"probe/{uuid7()}", b"probe"
    objects.put(key, data)
    is_same = objects.get(key) == data
    objects.delete(key)
    if not is_same:
        raise Unavailable("An object came back from the storage changed: look at what is between.")
