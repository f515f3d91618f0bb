"""Services: what is given is used, what is missing is started, secrets are private."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from devtools.errors import DevError
from devtools.project import THIS
from devtools.redis_server import EmbeddedRedis, find_program
from devtools.services import Services, is_given

HAS_REDIS = find_program(THIS.site_packages()) is not None
GIVEN = {"DATABASE_URL": "postgresql://a/b", "REDIS_URL": "redis://a"}


@pytest.mark.parametrize(
    "environ",
    [
        GIVEN,
        {"POSTGRES_HOST": "db", "LEADSEND_BROKER": "postgres"},
        {"DATABASE_URL_FILE": "/run/secrets/db", "REDIS_URL_FILE": "/run/secrets/redis"},
    ],
)
def test_nothing_is_started_in_place_of_what_is_given(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    services = Services(tmp_path, environ=environ)

    added = services.start()

    assert services.embedded == []
    assert set(added) == {"SECRET_KEY", "FERNET_KEYS", "LEADSEND_STATE_DIR"}


def test_an_empty_variable_counts_as_absent() -> None:
    assert not is_given({"REDIS_URL": ""}, "REDIS_URL")


def test_without_a_redis_build_postgres_is_the_broker(tmp_path: Path) -> None:
    services = Services(
        tmp_path, environ={"DATABASE_URL": "postgresql://a/b"}, site_packages=tmp_path
    )

    assert services.start()["LEADSEND_BROKER"] == "postgres"
    assert services.redis is None


def test_secrets_are_made_once_and_are_private(tmp_path: Path) -> None:
    first = Services(tmp_path, environ=GIVEN).environment
    second = Services(tmp_path, environ=GIVEN).environment

    assert first == second
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert len(first["SECRET_KEY"]) >= 50


def test_a_given_secret_is_left_alone(tmp_path: Path) -> None:
    added = Services(tmp_path, environ={**GIVEN, "SECRET_KEY_FILE": "/run/secrets/key"}).environment

    assert "SECRET_KEY" not in added
    assert "FERNET_KEYS" in added


def test_there_is_nothing_to_stop_when_nothing_was_started(tmp_path: Path) -> None:
    with pytest.raises(DevError, match="No services"):
        Services(tmp_path, environ=GIVEN).stop_detached()


@pytest.mark.skipif(not HAS_REDIS, reason="no Redis build for this platform")
def test_redis_comes_back_on_its_port_after_a_kill(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "redis")
    url = server.start()
    server.kill()
    assert server.pid is None

    assert server.start() == url
    server.stop()
    assert server.pid is None


@pytest.mark.skipif(not HAS_REDIS, reason="no Redis build for this platform")
def test_redis_asks_for_a_password_that_no_command_line_shows(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "redis")
    server.start()
    port = int((tmp_path / "redis" / "port").read_text())
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"PING\r\n")
        answer = client.recv(100)
    shown = Path(f"/proc/{server.pid}/cmdline").read_text()
    server.stop()

    assert b"NOAUTH" in answer
    assert (tmp_path / "redis" / "password").read_text() not in shown
