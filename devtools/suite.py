"""`./dev test`: the whole test suite on services of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence

from devtools.browser import ensure_browser
from devtools.console import say
from devtools.own_services import environment, own_services, run_in_foreground
from devtools.project import Project
from devtools.virtualenv import ensure_environment

# The first finds the plain tests by the options in pyproject.toml; the second says the opposite.
PHASES = (("-n", "2"), ("-m", "scenario or browser"))
WITHOUT_REDIS = "--without-redis"
# Nobody listens there; and no Redis is started when the broker is PostgreSQL.
NO_REDIS = {"LEADSEND_BROKER": "postgres", "REDIS_URL": "redis://127.0.0.1:1/0"}


def test(project: Project, arguments: Sequence[str]) -> int:
    """Run all phases, or pytest once with the arguments given; return pytest's exit code.

    No test found counts as a failure: pytest's own code 5 is passed on. ``--without-redis`` runs
    the plain tests with no Redis there.
    """
    if WITHOUT_REDIS in arguments:
        os.environ.update(NO_REDIS)
        arguments = [one for one in arguments if one != WITHOUT_REDIS] or PHASES[0]
    ensure_environment(project)
    if not arguments:
        ensure_browser(logs=project.logs)
    with own_services(project, "test", durable=False) as services:
        env = environment(services)
        calls = [tuple(arguments)] if arguments else PHASES
        first_failure = 0
        for call in calls:
            say(f"pytest {' '.join(call)}")
            command = [str(project.python), "-m", "pytest", *call]
            code = run_in_foreground(command, env=env, cwd=project.root)
            first_failure = first_failure or code
        return first_failure
