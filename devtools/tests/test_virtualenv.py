"""The set-up says what to do when it cannot go on."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from devtools import virtualenv
from devtools.errors import CommandError, DevError
from devtools.project import Project
from devtools.virtualenv import ensure_environment, explain

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def clone(tmp_path: Path) -> Project:
    (tmp_path / "requirements.lock").write_text("a==1\n")
    return Project(root=tmp_path)


def test_a_python_without_ensurepip_names_the_package(
    clone: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(DevError, match="apt-get install python3-venv"):
        ensure_environment(clone)


def test_a_full_disk_is_named_before_anything_is_made(
    clone: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1, 1, 1_000))

    with pytest.raises(DevError, match="The disk is full"):
        ensure_environment(clone)
    assert not clone.venv.exists()


def test_a_folder_that_cannot_be_written_is_named(
    clone: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)

    with pytest.raises(DevError, match="cannot be written to"):
        ensure_environment(clone)


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("NewConnectionError: Temporary failure in name resolution", "HTTPS_PROXY"),
        ("error: error sending request for url", "index cannot be reached"),
        ("error: failed to write (os error 28)", "The disk is full"),
        ("OSError: [Errno 13] Permission denied: '/x'", "No permission"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "its hash differs"),
        ("something never seen", "something never seen"),
    ],
)
def test_a_failed_installation_says_what_to_do(tmp_path: Path, output: str, advice: str) -> None:
    said = str(explain(CommandError("Installing failed", output=output), root=tmp_path))

    assert advice in said


def test_it_is_made_again_only_when_the_lock_changes(
    clone: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(virtualenv, "_make", make_fake(calls))
    monkeypatch.setattr(virtualenv, "_synchronise", lambda project: calls.append("sync"))

    ensure_environment(clone)
    ensure_environment(clone)
    assert calls == ["make", "sync"]

    (clone.root / "requirements.lock").write_text("a==2\n")
    ensure_environment(clone)
    assert calls == ["make", "sync", "make", "sync"]


def make_fake(calls: list[str]) -> Callable[[Project], None]:
    def make(project: Project) -> None:
        calls.append("make")
        project.python.parent.mkdir(parents=True, exist_ok=True)
        project.python.touch()

    return make
