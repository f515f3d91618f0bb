"""The object storage: files below a folder, or S3, as settings.STORAGES["objects"] says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages

from leadsend.lib.errors import NotFound, Unavailable
from leadsend.lib.ids import uuid7

_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})


def put(key: str, data: bytes) -> None:
    """Write an object; it lasts when this returns. Blocks; raises Unavailable."""
    with _translated(key):
        saved = _storage().save(key, ContentFile(data))
    if saved != key:
        raise Unavailable(f"The object storage kept {key} under another name.")


def get(key: str) -> bytes:
    """Return an object's bytes. Blocks; raises NotFound, or Unavailable."""
    with _translated(key), _storage().open(key) as stored:
        data: bytes = stored.read()
    return data


def delete(key: str) -> None:
    """Take an object away; one that is gone is none to complain of. Raises Unavailable."""
    with _translated(key):
        _storage().delete(key)


def names(folder: str) -> tuple[list[str], list[str]]:
    """Return the names of folders and objects right below a folder. Raises Unavailable."""
    try:
        with _translated(folder):
            folders, files = _storage().listdir(folder)
    except NotFound:
        return [], []
    return sorted(name for name in folders if name), sorted(name for name in files if name)


class DurableFiles(FileSystemStorage):
    """Files that are there as a whole or not at all, also when the power fails."""

    def _save(self, name: str, content: Any) -> str:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{uuid7().hex}")
        try:
            with unfinished.open("wb") as file:
                for chunk in content.chunks():
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        _flush_folder(path.parent)
        return name


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"The object storage has no {key}.") from error
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _ABSENT:
            raise NotFound(f"The object storage has no {key}.") from error
        raise _away(error) from error
    except (BotoCoreError, OSError) as error:
        raise _away(error) from error


def _storage() -> Storage:
    return storages["objects"]


def _away(error: Exception) -> Unavailable:
    return Unavailable(
        "The object storage cannot be reached, so nothing was changed; try again in a while. "
        f"(S3_ENDPOINT_URL, S3_BUCKET; it said: {error})"
    )
