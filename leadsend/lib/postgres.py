"""Plain psycopg connections, for the few places that the ORM is too slow for."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote, urlsplit

import psycopg
from django.conf import settings
from django.db import connections

Connection = psycopg.Connection[tuple[Any, ...]]
# What a database that went away, is full of connections or is being shut down raises.
# InternalError is what a server that became read-only says.
AWAY: Final = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)

_COMMON: Final[dict[str, Any]] = {
    "autocommit": True,
    "connect_timeout": 5,
    "prepare_threshold": None,
    # A machine that vanished without a word is noticed within about 20 s.
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


def connect(name: str, *, direct: bool = False) -> Connection:
    """Open a connection in autocommit; ``name`` is shown in ``pg_stat_activity``.

    ``direct`` goes past a pooler, for LISTEN. Blocks up to 5 s; raises one of AWAY.
    """
    return psycopg.connect(application_name=name, **_COMMON, **address(direct=direct))


async def connect_async(
    name: str, *, direct: bool = False, options: str = ""
) -> psycopg.AsyncConnection[tuple[Any, ...]]:
    """Open a connection as ``connect`` does, for asyncio; a pooler does not take ``options``."""
    given = {**_COMMON, **address(direct=direct), **({"options": options} if options else {})}
    return await psycopg.AsyncConnection.connect(application_name=name, **given)


def address(*, direct: bool = False) -> dict[str, Any]:
    """Return host, port, user, password and dbname, as far as they are given."""
    found = connections["default"].settings_dict
    target = {
        "host": found["HOST"],
        "port": found["PORT"],
        "user": found["USER"],
        "password": found["PASSWORD"],
    }
    if direct and is_pooled():
        target = _of_url(settings.POSTGRES_DIRECT_URL)
    return {"dbname": found["NAME"], **{key: value for key, value in target.items() if value}}


def is_pooled() -> bool:
    """Say whether a pooler stands in front: what a session sets would then reach other sessions."""
    return bool(settings.POSTGRES_DIRECT_URL != settings.DATABASE_URL)


def django_connection() -> Connection:
    """Return the connection beneath Django's, for a statement inside the ORM's transaction."""
    wrapper = connections["default"]
    wrapper.ensure_connection()
    raw: Connection | None = wrapper.connection
    if raw is None:
        raise psycopg.InterfaceError("There is no connection.")
    return raw


def _of_url(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    return {
        "host": parts.hostname,
        "port": parts.port,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
    }
