"""The embedded PostgreSQL starts, stops, keeps its data and survives a crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from devtools.errors import DevError
from devtools.postgres import EmbeddedPostgres
from devtools.postgres_home import find_home, is_reachable
from devtools.processes import is_alive, wait_until
from devtools.project import THIS

NewPostgres = Callable[[], EmbeddedPostgres]


def ask(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    return row[0] if row else None


def test_data_password_and_port_outlive_a_stop(new_postgres: NewPostgres) -> None:
    server = new_postgres()
    url = server.start()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    server.stop()
    assert server.pid is None

    again = new_postgres()

    assert again.start() == url
    assert ask(url, "SELECT n FROM kept") == 7


def test_committed_rows_survive_a_kill_9_and_an_immediate_restart(
    new_postgres: NewPostgres,
) -> None:
    server = new_postgres()
    url = server.start()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1)")

    server.kill()
    server.start()
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO kept VALUES (2)")
    server.restart_immediate()

    assert ask(url, "SELECT count(*) FROM kept") == 2


def test_it_listens_on_the_loopback_address_and_asks_for_the_password(
    new_postgres: NewPostgres,
) -> None:
    server = new_postgres()
    server.start()
    at = server.environment

    assert ask(server.url, "SHOW listen_addresses") == "127.0.0.1"
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(
            host=at["POSTGRES_HOST"], port=at["POSTGRES_PORT"], user="postgres", password="no"
        )


def test_files_with_the_password_are_private(new_postgres: NewPostgres, tmp_path: Path) -> None:
    new_postgres().start()

    mode = (tmp_path / "postgres" / "password").stat().st_mode & 0o777
    assert mode == 0o600
    assert not list(tmp_path.rglob("first-password"))


def test_a_lock_that_names_a_stranger_is_dropped(new_postgres: NewPostgres) -> None:
    server = new_postgres()
    server.start()
    lock = server.data / "postmaster.pid"
    text = lock.read_text()
    server.stop()
    lock.write_text("\n".join([str(os.getpid()), *text.splitlines()[1:]]) + "\n")

    server.start()

    assert server.pid != os.getpid()
    assert ask(server.url, "SELECT 1") == 1


def test_a_second_handle_finds_the_running_server(new_postgres: NewPostgres) -> None:
    server = new_postgres()
    server.start()

    other = new_postgres()
    other.start()

    assert other.pid == server.pid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another account")
def test_as_root_it_runs_as_an_ordinary_account(new_postgres: NewPostgres) -> None:
    server = new_postgres()
    server.start()

    assert Path(f"/proc/{server.pid}").stat().st_uid != 0
    assert server.data.stat().st_mode & 0o777 == 0o700


def test_it_ends_with_the_process_that_started_it(
    new_postgres: NewPostgres, tmp_path: Path
) -> None:
    code = (
        "import os, pathlib, sys; from devtools.postgres import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(pathlib.Path(sys.argv[1]), durable=False)\n"
        "server.start(); print(server.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "postgres")],
        capture_output=True,
        text=True,
        cwd=THIS.root,
        check=False,
    )

    assert done.returncode == -signal.SIGKILL
    assert wait_until(lambda: not is_alive(int(done.stdout)), timeout_s=10)


def test_a_platform_without_programs_is_told_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(DevError, match="POSTGRES_HOST"):
        find_home(tmp_path, site_packages=tmp_path)


def test_a_folder_below_a_closed_one_is_not_reachable(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)

    assert not is_reachable(closed / "data")
    assert is_reachable(Path("/usr/lib/data"))
