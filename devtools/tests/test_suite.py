"""`./dev test` runs both phases and passes pytest's exit code on; `check` compares snapshots."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from devtools import browser, suite
from devtools.checks import all_checks, compare_openapi
from devtools.errors import DevError
from devtools.memory import total_mib, tree_pss
from devtools.project import THIS


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Let pytest's runs be answered with the codes of ``CODES``; return what was asked for."""
    made: list[tuple[str, ...]] = []

    @contextmanager
    def no_services(*_args: object, **_kwargs: object) -> Iterator[None]:
        yield None

    def fake_run(command: Sequence[str], **_kwargs: object) -> int:
        made.append(tuple(command[3:]))
        return CODES.get(tuple(command[3:]), 0)

    monkeypatch.setattr(suite, "ensure_environment", lambda project: None)
    monkeypatch.setattr(suite, "ensure_browser", lambda logs: None)
    monkeypatch.setattr(suite, "own_services", no_services)
    monkeypatch.setattr(suite, "environment", lambda services: {})
    monkeypatch.setattr(suite, "run_in_foreground", fake_run)
    return made


CODES = {("-n", "2"): 5, ("--failing",): 1}


def test_scenarios_run_even_when_a_plain_test_failed(calls: list[tuple[str, ...]]) -> None:
    code = suite.test(THIS, [])

    assert calls == [("-n", "2"), ("-m", "scenario or browser")]
    assert code == 5  # no test found is a failure too


def test_arguments_go_to_one_run_of_pytest(calls: list[tuple[str, ...]]) -> None:
    assert suite.test(THIS, ["--failing"]) == 1
    assert calls == [("--failing",)]


def test_without_redis_the_plain_tests_run_on_postgresql_alone(
    calls: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in suite.NO_REDIS:
        monkeypatch.setenv(name, "")

    suite.test(THIS, ["--without-redis"])

    assert calls == [("-n", "2")]
    assert os.environ["LEADSEND_BROKER"] == "postgres"


def test_without_a_browser_an_ordinary_user_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "find_browser", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(DevError, match="apt-get install chromium"):
        browser.ensure_browser(logs=tmp_path)


def test_a_changed_api_is_told_how_to_be_written_anew() -> None:
    made = json.dumps({"paths": {"/a/": {}}})

    assert compare_openapi(made, made) == ""
    assert "--file docs/openapi.json" in compare_openapi(made, "{}")


def test_every_check_has_a_name_of_its_own() -> None:
    names = [check.name for check in all_checks(THIS)]

    assert len(names) == len(set(names)) >= 8


def test_memory_counts_the_whole_tree() -> None:
    sizes = tree_pss(os.getpid())

    assert next(iter(sizes.values())) >= 1_000
    assert total_mib(sizes.values()) > 1
