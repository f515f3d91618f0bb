"""`./dev check` and `./dev fix`: what a tool can say about the code, all of it, one line each."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from devtools.console import paint, say
from devtools.own_services import environment, own_services
from devtools.preparing import prepare
from devtools.project import Project
from devtools.secret_files import application_secrets
from devtools.virtualenv import ensure_environment

PACKAGES = ("leadsend", "registry", "credentials", "workflows", "runtime", "triggers", "devtools")
OPENAPI = Path("docs/openapi.json")
AT_A_TIME = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One tool: its name, its command, and what to compare its output with, if anything."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    judge: Callable[[str], str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    name: str
    is_good: bool
    seconds: float
    output: str


def check(project: Project) -> int:
    """Run every check to its end; return 1 when one of them failed, else 0."""
    ensure_environment(project)
    with own_services(project, "check", durable=False) as services:
        env = environment(services)
        prepare(project, services, env=env)
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            started = [pool.submit(_run, project, each, env) for each in all_checks(project)]
            results = [_show(done.result()) for done in as_completed(started)]
    failed = [result.name for result in results if not result.is_good]
    say(paint(f"Failed: {', '.join(failed)}", "red") if failed else paint("All good.", "green"))
    return 1 if failed else 0


def fix(project: Project) -> int:
    """Repair what can be repaired; what is left is for `./dev check` to say."""
    ensure_environment(project)
    ruff = str(project.program("ruff"))
    djlint = str(project.program("djlint"))
    for command in (
        [ruff, "check", "--fix", "--quiet", "."],
        [ruff, "format", "."],
        [djlint, "--reformat", "--quiet", "templates"],
    ):
        say(" ".join([Path(command[0]).name, *command[1:]]))
        subprocess.run(command, cwd=project.root, check=False)
    return 0


def all_checks(project: Project) -> list[Check]:
    """Return the checks, the slowest first, so that they end at about the same time."""

    def tool(name: str, *arguments: str) -> list[str]:
        return [str(project.program(name)), *arguments]

    def manage(*arguments: str) -> list[str]:
        return [str(project.python), "manage.py", *arguments]

    checks = [
        Check(name="mypy", command=tool("mypy", *PACKAGES)),
        Check(name="lint-imports", command=tool("lint-imports")),
        Check(name="ruff format", command=tool("ruff", "format", "--check", ".")),
        Check(name="ruff check", command=tool("ruff", "check", ".")),
        Check(name="djlint", command=tool("djlint", "--check", "--lint", "templates")),
        Check(
            name="manage.py check --deploy",
            command=manage("check", "--deploy", "--fail-level", "WARNING"),
            env=production_environment(project),
        ),
        Check(name="makemigrations --check", command=manage("makemigrations", "--check")),
        Check(name="seed_registry --check", command=manage("seed_registry", "--check")),
    ]
    snapshot = project.root / OPENAPI
    if snapshot.exists():
        spectacular = manage("spectacular", "--format", "openapi-json", "--fail-on-warn")
        checks.append(
            Check(
                name="OpenAPI snapshot",
                command=spectacular,
                judge=lambda made: compare_openapi(made, snapshot.read_text()),
            )
        )
    return checks


def production_environment(project: Project) -> dict[str, str]:
    """Return variables as an installation would set them, so that its checks can be passed."""
    kept = application_secrets(project.state / "check" / "secrets.json")
    return {
        "LEADSEND_ENV": "production",
        "SECRET_KEY": secrets.token_urlsafe(60),
        "FERNET_KEYS": kept["FERNET_KEYS"],
        "ALLOWED_HOSTS": "leadsend.example.org",
        "PUBLIC_URL": "https://leadsend.example.org",
    }


def compare_openapi(made: str, snapshot: str) -> str:
    """Return "" when both documents say the same, else what to do."""
    if json.loads(made) == json.loads(snapshot):
        return ""
    return (
        f"The API differs from {OPENAPI}. When that is meant, write it anew:\n"
        f"  .venv/bin/python manage.py spectacular --format openapi-json --file {OPENAPI}"
    )


def _run(project: Project, each: Check, env: Mapping[str, str]) -> Result:
    started = time.monotonic()
    done = subprocess.run(
        each.command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=project.root,
        env={**env, **each.env},
        check=False,
    )
    output = done.stdout + done.stderr
    is_good = done.returncode == 0
    if is_good and each.judge is not None:
        output = each.judge(done.stdout)
        is_good = not output
    seconds = time.monotonic() - started
    return Result(name=each.name, is_good=is_good, seconds=seconds, output=output)


def _show(result: Result) -> Result:
    word = paint("ok    ", "green") if result.is_good else paint("FAILED", "red")
    say(f"{word} {result.name} ({result.seconds:.1f} s)")
    if not result.is_good:
        say(result.output.rstrip())
    return result
