"""`./dev services up|down|env`: PostgreSQL, Redis and secrets without LeadSend's processes."""

from __future__ import annotations

import os
import shlex

from devtools.console import say, step
from devtools.errors import DevError
from devtools.preparing import prepare
from devtools.project import Project
from devtools.services import Services
from devtools.up import running
from devtools.virtualenv import ensure_environment


def services_up(project: Project) -> None:
    """Start the services so that they go on after this command, with the tables in place."""
    ensure_environment(project)
    project.state.mkdir(exist_ok=True)
    _refuse_beside_up(project)
    services = Services(project.state, environ=os.environ)
    with step("Starting the services"):
        added = services.start_detached()
    try:
        prepare(project, services, env={**os.environ, **added})
    except BaseException:
        services.stop_detached()
        raise
    say('They run until ./dev services down. For a shell: eval "$(./dev services env)"')


def services_down(project: Project) -> None:
    """Stop what `services up` started. Raises DevError while `./dev up` uses it."""
    _refuse_beside_up(project)
    Services(project.state, environ=os.environ).stop_detached()
    say("The services have stopped; the data stay in .leadsend/.")


def services_env(project: Project) -> None:
    """Print `export NAME=value` lines of the running services, of `up` or of `services up`."""
    services = Services(project.state, environ=os.environ)
    if not services.is_running:
        raise DevError("No services are running. Start them: ./dev services up")
    added = services.environment
    other = running(project.state / "up.lock")
    if other is not None:
        added.setdefault("PUBLIC_URL", other["address"])
    for name, value in added.items():
        say(f"export {name}={shlex.quote(value)}")


def _refuse_beside_up(project: Project) -> None:
    other = running(project.state / "up.lock")
    if other is not None:
        raise DevError(
            f"./dev up is running (process {other['pid']}) and has its services with it; "
            "./dev services env works beside it."
        )
