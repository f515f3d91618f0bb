"""A busy port is named with its holder, and what to do."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools import ports


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_the_message_names_the_holder_and_another_port(busy_port: int) -> None:
    said = ports.busy_message(busy_port)

    assert f"Port {busy_port} is taken by process {os.getpid()} (" in said
    assert "./dev up --port " in said


def test_a_holder_that_cannot_be_seen_is_another_users(
    busy_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "all_pids", list)

    assert "another user's process" in ports.busy_message(busy_port)


def test_a_remembered_port_is_taken_again_while_it_is_free(tmp_path: Path) -> None:
    file = tmp_path / "port"

    first = ports.remembered(file)

    assert ports.remembered(file) == first


def test_a_remembered_port_that_is_busy_is_replaced(tmp_path: Path, busy_port: int) -> None:
    file = tmp_path / "port"
    file.write_text(str(busy_port))

    found = ports.remembered(file)

    assert found != busy_port
    assert file.read_text().strip() == str(found)
