"""A whole LeadSend of its own for stories: services, web, worker and beat, each of which can be killed.

The processes are the ordinary commands of the contract. Nothing of the test's own database or
settings takes part: stories speak HTTP, SQL and SMTP, as users and other systems do.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import psycopg

from devtools import guardian
from devtools.ports import find_free
from devtools.processes import descendants, end, is_alive
from devtools.project import THIS
from devtools.services import Services

START_LIMIT_S = 60.0
_GIVEN = ("POSTGRES_", "DATABASE_URL", "REDIS_URL", "LEADSEND_", "EMAIL_URL", "DJANGO_SETTINGS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an HTTP request came back with; ``body`` is parsed JSON where it is JSON."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Member:
    """One process of the stack, started again by ``start`` after it was killed."""

    def __init__(self, name: str, command: list[str], env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self._command = command
        self._env = env
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def number(self) -> int:
        """Return which one of its kind it is, 0 where there is only one."""
        return int(self.name.lstrip(ascii_lowercase) or 0)

    @property
    def pid(self) -> int:
        """Return the process id. Raises RuntimeError before the first start."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Say whether the process that was started last still runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process in a session of its own, its output appended to its log."""
        # The child has its own copy of the handle: ours can be closed at once.
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                env=self._env,
                cwd=THIS.root,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def children(self) -> list[int]:
        """Return the ids of the processes that this one started, without itself."""
        return descendants(self.pid)

    def kill(self) -> None:
        """End the process as a power cut would; what it started has to notice by itself."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """End the process and all that it started: asked first, then killed."""
        if self._process is not None:
            family = [self._process.pid, *descendants(self._process.pid)]
            end(lambda: [pid for pid in family if is_alive(pid)], grace_s=10)
            self._process.wait()


@dataclass
class Stack:
    """Services and processes in ``directory``; ``environment`` is what each process gets.

    ``durable`` lets PostgreSQL wait for the disk, as an installation does.
    """

    directory: Path
    broker: str = "redis"
    settings: Mapping[str, str] = field(default_factory=dict)
    durable: bool = False
    services: Services = field(init=False)
    environment: dict[str, str] = field(init=False)
    members: dict[str, Member] = field(init=False, default_factory=dict)
    port: int = field(init=False, default_factory=find_free)
    ports: dict[str, int] = field(init=False, default_factory=dict)
    # More variables for single processes, by name; they count when a process is first started.
    own_settings: dict[str, Mapping[str, str]] = field(init=False, default_factory=dict)

    def start_services(self) -> None:
        """Start PostgreSQL (and Redis), migrate, and seed the registry."""
        self.directory.mkdir(parents=True, exist_ok=True)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(_GIVEN)}
        if self.broker == "postgres":
            clean["LEADSEND_BROKER"] = "postgres"
        self.services = Services(self.directory, environ=clean, durable=self.durable)
        self.environment = {
            **clean,
            **self.start_addresses(),
            "LEADSEND_ENV": "development",
            "PUBLIC_URL": self.url,
            "PYTHONUNBUFFERED": "1",
            "PYTHONFAULTHANDLER": "1",
            "LEADSEND_LEASE_S": "3",
            "LEADSEND_ENGINES": "1",
            # What is left when this process is killed is ended by its guardian.
            **guardian.of_this_process().mark,
            **self.settings,
        }
        self.run(sys.executable, "-m", "devtools.prepare_database")

    def start_addresses(self) -> dict[str, str]:
        """Start the services; return the variables that name them."""
        return self.services.start()

    @property
    def url(self) -> str:
        """Return the address of the first web process."""
        return f"http://127.0.0.1:{self.port}"

    def url_of(self, name: str) -> str:
        """Return the address of one of several web processes."""
        if name in ("web", "web1"):
            return self.url
        if name not in self.ports:
            self.ports[name] = find_free()
        return f"http://127.0.0.1:{self.ports[name]}"

    def start(self, *names: str) -> None:
        """Start processes (default: web, worker, beat) and wait until the web answers."""
        for name in names or ("web", "worker", "beat"):
            member = self.members.get(name) or self._member(name)
            self.members[name] = member
            member.start()
        for name in names or ("web",):
            if name.startswith("web"):
                self.wait_for_web(name)

    def wait_for_web(self, name: str) -> None:
        """Wait until a web process answers that it is ready."""
        address = f"{self.url_of(name)}/readyz"
        until(lambda: self._status(address) == 200, f"{name} is ready")

    def wait_for_engine(self) -> None:
        """Wait until an engine process has signed on: faults before that would hit nobody."""
        query = "SELECT count(*) FROM worker WHERE stopped_at IS NULL"
        until(lambda: self.sql(query)[0][0], "an engine process is at work")

    def stop(self) -> None:
        """End everything, processes first."""
        for member in reversed(self.members.values()):
            member.stop()
        self.services.stop()
        if self.services.postgres is not None:
            self.services.postgres.destroy()

    def run(self, *command: str) -> str:
        """Run a command in the stack's environment; return its output. Raises on failure."""
        done = subprocess.run(
            command,
            env=self.environment,
            cwd=THIS.root,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{command} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done.stdout

    def manage(self, *arguments: str) -> str:
        """Run a management command; return its output."""
        return self.run(sys.executable, "manage.py", *arguments)

    def sql(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run one statement on a connection of its own; return its rows, if it has any."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(query.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    @property
    def dsn(self) -> str:
        """Return the database's address."""
        if self.services.postgres is None:
            raise RuntimeError("the stack uses a database that is not its own")
        return self.services.postgres.url

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str = "",
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 30,
    ) -> Answer:
        """Send one request; ``body`` is sent as it is when it is bytes, else as JSON."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        url = path if path.startswith("http") else f"{self.url}{path}"
        request = urllib.request.Request(url, data=data, headers=sent, method=method)
        try:
            with _opener.open(request, timeout=timeout_s) as answer:
                return _read(answer.status, answer)
        except urllib.error.HTTPError as refusal:
            return _read(refusal.code, refusal)

    def _status(self, path: str) -> int:
        try:
            return self.request("GET", path, timeout_s=5).status
        except OSError:
            return 0

    def _member(self, name: str) -> Member:
        kind = name.rstrip("0123456789")
        celery = [str(THIS.program("celery")), "-A", "leadsend"]
        commands = {
            "web": [
                str(THIS.program("uvicorn")),
                "leadsend.asgi:application",
                "--host",
                "127.0.0.1",
                "--port",
                self.url_of(name).rpartition(":")[2],
                "--no-access-log",
            ],
            "worker": [*celery, "worker", "-n", f"{name}@%h"],
            "beat": [*celery, "beat", "--pidfile", "", "-s", str(self.directory / name)],
        }
        log = self.directory / f"{name}.log"
        own = self.own_settings.get(name)
        return Member(
            name, commands[kind], {**self.environment, **own} if own else self.environment, log
        )


@contextmanager
def running_stack(
    directory: Path,
    *,
    broker: str = "redis",
    settings: Mapping[str, str] | None = None,
    kind: type[Stack] = Stack,
    durable: bool = False,
) -> Iterator[Stack]:
    """Start a stack's services, hand it out, and leave nothing behind."""
    stack = kind(directory, broker=broker, settings=settings or {}, durable=durable)
    try:
        stack.start_services()
        yield stack
    finally:
        stack.stop()


def until(holds: Callable[[], Any], what: str, *, limit_s: float = START_LIMIT_S) -> Any:
    """Ask again and again until something holds; return what was said. Raises AssertionError."""
    deadline = time.monotonic() + limit_s
    while True:
        said = holds()
        if said:
            return said
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit_s:.0f} s: {what} (last: {said!r})")
        time.sleep(0.1)


def kill_process(pid: int) -> None:
    """End one process by its id as a power cut would; one that is gone already is fine."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _read(status: int, answer: Any) -> Answer:
    raw = answer.read()
    kind = answer.headers.get("Content-Type", "")
    body = json.loads(raw) if "json" in kind and raw else raw.decode(errors="replace")
    return Answer(status=status, body=body, headers=dict(answer.headers.items()))


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
