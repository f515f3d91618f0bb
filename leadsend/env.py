"""Reads the environment: every name of it that LeadSend knows is asked for through here."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str = "") -> str:
    """Return ``NAME``, or what the file named by ``NAME_FILE`` holds, or the default."""
    file_name = os.environ.get(f"{name}_FILE")
    if file_name:
        try:
            return Path(file_name).read_text().strip()
        except OSError as error:
            raise ImproperlyConfigured(
                f"{name}_FILE names {file_name}: {error.strerror}"
            ) from error
    return os.environ.get(name) or default


def number(name: str, default: int) -> int:
    """Return ``NAME`` as a whole number. Raises ImproperlyConfigured when it is none."""
    value = text(name, str(default))
    try:
        return int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from error


def names(name: str, default: str = "") -> list[str]:
    """Return the comma-separated parts of ``NAME``, without blanks."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def database_url() -> str:
    """Return the address of the database: ``DATABASE_URL``, else made of ``POSTGRES_*``."""
    given = text("DATABASE_URL")
    if given:
        return given
    user = quote(text("POSTGRES_USER", "postgres"), safe="")
    password = quote(text("POSTGRES_PASSWORD", "postgres"), safe="")
    host = text("POSTGRES_HOST", "localhost")
    port = number("POSTGRES_PORT", 5432)
    name = quote(text("POSTGRES_DB", "mydb"), safe="")
    return f"postgresql://{user}:{password}@{host}:{port}/{name}"
