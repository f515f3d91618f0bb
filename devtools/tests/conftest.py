"""What the tests of the dev command share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devtools.guardian import Guardian
from devtools.postgres import EmbeddedPostgres


@pytest.fixture
def guard() -> Iterator[Guardian]:
    made = Guardian()
    yield made
    made.dismiss()


@pytest.fixture
def new_postgres(tmp_path: Path) -> Iterator[Callable[[], EmbeddedPostgres]]:
    """Return a maker of handles on one server, which is destroyed at the end."""

    def make() -> EmbeddedPostgres:
        return EmbeddedPostgres(tmp_path / "postgres", durable=False)

    yield make
    make().destroy()
