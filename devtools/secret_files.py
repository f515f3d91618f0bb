"""Secrets that are made once and kept in files that only their owner can read."""

from __future__ import annotations

import base64
import json
import os
import secrets
from pathlib import Path


def private_text(file: Path) -> str:
    """Return the random text kept in ``file``; make it when there is none. Mode 0600."""
    if not file.exists():
        write_private(file, secrets.token_urlsafe(24))
    return file.read_text().strip()


def application_secrets(file: Path) -> dict[str, str]:
    """Return ``{"SECRET_KEY": …, "FERNET_KEYS": …}`` of this clone; make them the first time."""
    if not file.exists():
        made = {
            "SECRET_KEY": secrets.token_urlsafe(48),
            "FERNET_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        }
        write_private(file, json.dumps(made, indent=1) + "\n")
    stored: dict[str, str] = json.loads(file.read_text())
    return stored


def write_private(file: Path, text: str) -> None:
    """Write a whole file with mode 0600, never half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as sink:
        sink.write(text)
    draft.replace(file)
