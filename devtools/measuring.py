"""`./dev bench` and `./dev trust`: hand the arguments to their modules, with services running."""

from __future__ import annotations

from collections.abc import Sequence

from devtools.own_services import environment, own_services, run_in_foreground
from devtools.preparing import prepare
from devtools.project import Project
from devtools.virtualenv import ensure_environment


def measure(project: Project, module: str, arguments: Sequence[str]) -> int:
    """Run ``python -m MODULE ARGUMENTS`` on services that write as durably as those of `up`.

    They lie under `.leadsend/bench/`. Returns the module's exit code.
    """
    ensure_environment(project)
    with own_services(project, "bench", durable=True) as services:
        env = environment(services)
        prepare(project, services, env=env)
        command = [str(project.python), "-m", module, *arguments]
        return run_in_foreground(command, env=env, cwd=project.root)
