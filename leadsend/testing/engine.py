"""Runs what is pending, in the test's own transaction and without a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection as django_connection

from leadsend.lib.postgres import Connection
from registry.sdk.catalog_view import CatalogView
from runtime.draining import Engine, Options, run_until_idle


def drain(
    *,
    before_pass: Sequence[Callable[[Connection], int]] = (),
    catalog: CatalogView | None = None,
) -> int:
    """Make engine passes until all is done that can be done now; return how many.

    Works in ``db`` tests: it uses the test's connection, so what the test made is seen and goes
    with it. Effects are really called: let ``EMAIL_URL`` be empty and pretend the network.
    """
    with engine(before_pass=before_pass, catalog=catalog) as found:
        return run_until_idle(found)


@contextmanager
def engine(catalog: CatalogView | None = None, **options: Any) -> Iterator[Engine]:
    """An engine on the test's own connection, without a heartbeat; closed at the end."""
    django_connection.ensure_connection()
    shared: Any = django_connection.connection
    given = {"catalog": catalog} if catalog else {}
    alone: Any = {"connect": lambda: shared, "owns_connection": False, "lease_s": 3600}
    found = Engine(Options(**{**alone, **given, **options}))
    try:
        yield found
    finally:
        found.close()
