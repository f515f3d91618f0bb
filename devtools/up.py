"""`./dev up`: from a fresh clone to a running LeadSend, in the foreground."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from devtools import guardian, ports
from devtools.console import paint, say, step
from devtools.errors import DevError
from devtools.preparing import prepare
from devtools.project import Project
from devtools.services import Services
from devtools.supervisor import Program, Supervisor
from devtools.virtualenv import ensure_environment

# True of every development clone, and nothing to act on there.
EXPECTED_WARNINGS = (
    "ignore:No directory at",
    "ignore:You're running the worker with superuser privileges",
)


def up(project: Project, *, port: int) -> None:
    """Run the whole of LeadSend until Ctrl+C or SIGTERM.

    Raises DevError when it runs already, the port is taken, or a step of the set-up fails.
    """
    project.state.mkdir(exist_ok=True)
    address = f"http://{ports.LOOPBACK}:{port}"
    with only_one(project.state / "up.lock", address=address):
        if not ports.is_free(port):
            raise DevError(ports.busy_message(port))
        ensure_environment(project)
        services = Services(project.state, environ=os.environ)
        try:
            env = _start_services(services, address)
            prepare(project, services, env=env)
            asyncio.run(_supervise(project, port=port, env=env, address=address))
        finally:
            say("Stopping …")
            services.stop()
            guardian.of_this_process().dismiss()
    say("Everything has stopped.")


@contextmanager
def only_one(lock: Path, *, address: str) -> Iterator[None]:
    """Hold the lock of the running instance. Raises DevError that says where the other one is."""
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            raise DevError(_already_running(lock)) from held
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid(), "address": address}))
        file.flush()
        yield
        file.truncate(0)


def running(lock: Path) -> dict[str, str] | None:
    """Return ``{"pid", "address"}`` of the instance that holds the lock, or None."""
    if not lock.exists():
        return None
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            noted = lock.read_text()
            return json.loads(noted) if noted else {"pid": "?", "address": "its address"}
    return None


def _already_running(lock: Path) -> str:
    other = running(lock) or {"pid": "?", "address": "its address"}
    return (
        f"LeadSend is already running at {other['address']} (process {other['pid']}). "
        "Open that, or stop it first with Ctrl+C in its terminal."
    )


def _start_services(services: Services, address: str) -> dict[str, str]:
    with step("Starting the services"):
        added = services.start()
    defaults = {
        "LEADSEND_ENV": "development",
        "PUBLIC_URL": address,
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": ",".join(EXPECTED_WARNINGS),
    }
    return {**defaults, **os.environ, **added}


async def _supervise(project: Project, *, port: int, env: Mapping[str, str], address: str) -> None:
    async def is_ready() -> bool:
        return await asyncio.to_thread(_status, f"{address}/readyz") == 200

    def program(name: str, *command: str) -> Program:
        return Program(
            name=name,
            command=[str(project.program(command[0])), *command[1:]],
            env=env,
            cwd=project.root,
            is_ready=is_ready if name == "web" else None,
        )

    serve = ("uvicorn", "leadsend.asgi:application", "--host", ports.LOOPBACK, "--port", str(port))
    celery = ("celery", "--quiet", "-A", "leadsend")
    programs = [
        program("web", *serve, "--no-access-log"),
        program("worker", *celery, "worker"),
        program("beat", *celery, "beat", *_beat_files(project)),
    ]
    supervisor = Supervisor(programs, guardian=guardian.of_this_process())
    await supervisor.run(on_ready=lambda: _greet(address))


def _beat_files(project: Project) -> tuple[str, ...]:
    return ("--pidfile", "", "--schedule", str(project.state / "celerybeat-schedule"))


def _greet(address: str) -> None:
    say(paint(f"LeadSend is at {address}", "green"))
    if _status(f"{address}/setup/") == 200:
        say(f"First time: open {address}/setup/ to name your organisation and make your account.")
        say("To look around with sample data instead, in a second terminal:")
        say('  eval "$(./dev services env)" && .venv/bin/python manage.py seed_demo')
    else:
        say(f"Sign in at {address}/login/ with your e-mail address.")
    say("Ctrl+C stops everything.")


def _status(url: str) -> int:
    """Return the status of a GET, following nothing; 0 when nobody answers."""
    try:
        with _opener.open(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code
    except OSError:
        return 0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        return None


# No proxy: the address is this machine's.
_opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))
