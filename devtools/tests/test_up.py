"""`./dev up` refuses to run twice, and prepares the database only when something changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from devtools.cli import run
from devtools.errors import DevError
from devtools.preparing import fingerprint
from devtools.up import only_one, running

ADDRESS = "http://127.0.0.1:8000"


def test_a_second_instance_is_told_where_the_first_one_is(tmp_path: Path) -> None:
    lock = tmp_path / "up.lock"
    with only_one(lock, address=ADDRESS):
        with pytest.raises(DevError, match=f"already running at {ADDRESS}"):
            only_one(lock, address=ADDRESS).__enter__()
        other = running(lock)

    assert other is not None
    assert other["address"] == ADDRESS


def test_after_the_end_the_lock_is_free(tmp_path: Path) -> None:
    lock = tmp_path / "up.lock"
    with only_one(lock, address=ADDRESS):
        pass

    assert running(lock) is None


def test_a_changed_migration_changes_the_fingerprint(tmp_path: Path) -> None:
    folder = tmp_path / "runtime" / "migrations"
    folder.mkdir(parents=True)
    (tmp_path / "requirements.lock").touch()
    first = fingerprint(tmp_path)

    (folder / "0001_initial.py").write_text("a")
    second = fingerprint(tmp_path)

    assert first != second
    assert fingerprint(tmp_path) == second


def test_build_says_that_there_is_no_bundle_yet(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["build"]) == 1
    assert "no builder bundle yet" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_a_port_that_is_none_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(["up", "--port", port])

    assert f"{port} is not a port" in capsys.readouterr().err
