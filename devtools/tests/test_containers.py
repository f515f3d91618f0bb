"""The container files agree with the code, as far as that can be said without an engine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from devtools.project import THIS

# The names of docs' environment table that a container may be given.
KNOWN = {
    *("POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"),
    *("DATABASE_URL", "POSTGRES_DIRECT_URL", "REDIS_URL", "LEADSEND_BROKER"),
    *("S3_ENDPOINT_URL", "S3_BUCKET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    *("SECRET_KEY", "FERNET_KEYS", "ALLOWED_HOSTS", "PUBLIC_URL", "EMAIL_URL"),
    *("LEADSEND_EGRESS_ALLOW", "LEADSEND_EGRESS_PORTS", "LEADSEND_ENGINES", "LEADSEND_LEASE_S"),
    *("LEADSEND_CODE_STEPS", "LEADSEND_ENV"),
}
OURS = {"migrate", "web", "worker", "beat"}
SECRETS = {"POSTGRES_PASSWORD", "AWS_SECRET_ACCESS_KEY", "SECRET_KEY", "FERNET_KEYS"}


@pytest.fixture
def services() -> dict[str, Any]:
    composed = yaml.safe_load((THIS.root / "docker-compose.yml").read_text())
    found: dict[str, Any] = composed["services"]
    return found


def dockerfile() -> str:
    return (THIS.root / "deploy" / "Dockerfile").read_text()


def test_every_part_is_there(services: dict[str, Any]) -> None:
    assert set(services) == {"postgres", "redis", "minio", *OURS}


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_variable_is_one_that_leadsend_knows(services: dict[str, Any], name: str) -> None:
    assert set(services[name]["environment"]) <= KNOWN


def test_no_secret_is_written_down(services: dict[str, Any]) -> None:
    for service in services.values():
        given = service.get("environment", {})
        for name in SECRETS & set(given):
            assert given[name].startswith("${"), name


def test_what_keeps_running_has_a_health_check(services: dict[str, Any]) -> None:
    without = {name for name, service in services.items() if "healthcheck" not in service}
    assert without == {"migrate"}


def test_what_others_wait_for_exists_and_can_be_waited_for(services: dict[str, Any]) -> None:
    for service in services.values():
        for name, how in service.get("depends_on", {}).items():
            waited = services[name]
            assert how["condition"] == "service_completed_successfully" or waited["healthcheck"]


def test_commands_are_parts_that_the_entry_point_plays(services: dict[str, Any]) -> None:
    entry = (THIS.root / "deploy" / "entrypoint").read_text()
    for name in OURS:
        assert f"\n{services[name]['command'][0]})" in entry
    assert os.access(THIS.root / "deploy" / "entrypoint", os.X_OK)


def test_what_the_image_copies_exists() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile(), flags=re.MULTILINE)

    assert len(copied) > 8
    for sources in copied:
        for source in sources.split():
            assert (THIS.root / source).exists(), source


def test_the_image_runs_as_an_ordinary_user() -> None:
    assert re.search(r"^USER leadsend$", dockerfile(), flags=re.MULTILINE)


def test_compose_itself_accepts_the_file() -> None:
    """Ask Docker Compose where it is installed; parsing above is all that can be done elsewhere."""
    command = compose_command()
    if command is None:
        return
    values = dict.fromkeys([*SECRETS, "ALLOWED_HOSTS", "PUBLIC_URL"], "x")
    done = subprocess.run(
        [*command, "config", "--quiet"],
        cwd=THIS.root,
        env=os.environ | values,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def compose_command() -> list[str] | None:
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    if shutil.which("docker"):
        asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if asked.returncode == 0:
            return ["docker", "compose"]
    return None
