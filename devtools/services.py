"""PostgreSQL, Redis and secrets of one state folder, and the variables that name them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from devtools.errors import DevError
from devtools.postgres import EmbeddedPostgres
from devtools.project import THIS
from devtools.redis_server import EmbeddedRedis, find_program
from devtools.secret_files import application_secrets

DETACHED_MARKER = "services.json"


def is_given(environ: Mapping[str, str], *names: str) -> bool:
    """Tell whether one of the variables is set, or its ``_FILE`` form."""
    return any(environ.get(name) or environ.get(f"{name}_FILE") for name in names)


class Services:
    """What LeadSend needs beside its own processes, kept in ``directory``.

    What ``environ`` names already is used as it is, and nothing is started in its place.
    """

    def __init__(
        self,
        directory: Path,
        *,
        environ: Mapping[str, str],
        durable: bool = True,
        site_packages: Path | None = None,
    ) -> None:
        found = site_packages or THIS.site_packages()
        self._directory = directory
        self._environ = environ
        self._started: list[EmbeddedPostgres | EmbeddedRedis] = []
        self.postgres: EmbeddedPostgres | None = None
        self.redis: EmbeddedRedis | None = None
        self._needs_postgres_broker = False
        if not is_given(environ, "POSTGRES_HOST", "DATABASE_URL"):
            self.postgres = EmbeddedPostgres(
                directory / "postgres", durable=durable, site_packages=found
            )
        if environ.get("LEADSEND_BROKER") != "postgres" and not is_given(environ, "REDIS_URL"):
            program = find_program(found)
            self._needs_postgres_broker = program is None
            if program is not None:
                self.redis = EmbeddedRedis(directory / "redis", program=program)

    @property
    def environment(self) -> dict[str, str]:
        """The variables to add to ``environ``; the services must have been started once."""
        kept = application_secrets(self._directory / "secrets.json")
        added = {name: value for name, value in kept.items() if not is_given(self._environ, name)}
        added.setdefault("LEADSEND_STATE_DIR", str(self._directory))
        if self._environ.get("LEADSEND_STATE_DIR"):
            del added["LEADSEND_STATE_DIR"]
        if self.postgres is not None:
            added |= self.postgres.environment
        if self.redis is not None:
            added["REDIS_URL"] = self.redis.url
        if self._needs_postgres_broker:
            added["LEADSEND_BROKER"] = "postgres"
        return added

    @property
    def embedded(self) -> list[EmbeddedPostgres | EmbeddedRedis]:
        return [service for service in (self.postgres, self.redis) if service is not None]

    @property
    def stamp_folder(self) -> Path | None:
        """Where to note what was done to the database; None when it is not one of ours."""
        return self.postgres.data if self.postgres is not None else None

    @property
    def is_running(self) -> bool:
        return all(service.pid is not None for service in self.embedded)

    def start(self, *, detached: bool = False) -> dict[str, str]:
        """Start what is not given; return the variables to add to ``environ``.

        Raises DevError, with everything stopped again, when one does not come up.
        """
        try:
            for service in self.embedded:
                is_kept = self.is_detached and service.pid is not None
                service.start(detached=detached)
                if not is_kept:
                    self._started.append(service)
        except BaseException:
            self.stop()
            raise
        return self.environment

    def stop(self) -> None:
        """Stop what this object started, the last first."""
        while self._started:
            self._started.pop().stop()

    @property
    def is_detached(self) -> bool:
        """Whether `services up` has started them, so that they outlive each command."""
        return self._marker.exists()

    def start_detached(self) -> dict[str, str]:
        """Start the services so that they outlive this command; return all their variables."""
        added = self.start(detached=True)
        self._marker.write_text(json.dumps({s.__class__.__name__: s.pid for s in self.embedded}))
        return added

    def stop_detached(self) -> None:
        """Stop what `services up` started. Raises DevError when there is nothing."""
        if not self.is_detached:
            raise DevError("No services were started by `./dev services up`.")
        for service in reversed(self.embedded):
            service.stop()
        with contextlib.suppress(FileNotFoundError):
            self._marker.unlink()

    @property
    def _marker(self) -> Path:
        return self._directory / DETACHED_MARKER
