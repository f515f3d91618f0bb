"""The command line of `./dev`."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable, Sequence
from types import FrameType

from devtools import guardian
from devtools.checks import check, fix
from devtools.console import complain, paint
from devtools.errors import DevError, StopRequested
from devtools.keeping_services import services_down, services_env, services_up
from devtools.measuring import measure
from devtools.project import THIS
from devtools.suite import test
from devtools.up import up

SERVICES: dict[str, Callable[..., None]] = {
    "up": services_up,
    "down": services_down,
    "env": services_env,
}
# These take what follows as it is: argparse would keep --options for itself.
PASSED_THROUGH: dict[str, Callable[[Sequence[str]], int]] = {
    "test": lambda arguments: test(THIS, arguments),
    "bench": lambda arguments: measure(THIS, "leadsend.bench", arguments),
    "trust": lambda arguments: measure(THIS, "leadsend.trust", arguments),
}
STOPPED_BY_SIGNAL = 130


def run(arguments: Sequence[str]) -> int:
    """Do what the command line says; return the exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _request_stop)
    try:
        return _dispatch(arguments)
    except DevError as error:
        complain(f"{paint('Error:', 'red')} {error}")
        return 1
    except (KeyboardInterrupt, StopRequested):
        complain("Stopped.")
        return STOPPED_BY_SIGNAL
    finally:
        if guardian.of_this_process.cache_info().currsize:
            guardian.of_this_process().dismiss()


def _dispatch(arguments: Sequence[str]) -> int:
    if arguments and arguments[0] in PASSED_THROUGH:
        return PASSED_THROUGH[arguments[0]](arguments[1:])
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.command == "up":
        up(THIS, port=chosen.port)
    elif chosen.command == "services":
        SERVICES[chosen.what](THIS)
    elif chosen.command == "build":
        raise DevError("There is no builder bundle yet: nothing to build.")
    elif chosen.command == "check":
        return check(THIS)
    elif chosen.command == "fix":
        return fix(THIS)
    else:
        parser.print_help()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev", description="Runs, tests and checks LeadSend.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    up_command = commands.add_parser("up", help="run everything in the foreground")
    up_command.add_argument("--port", type=_port, default=8000)
    commands.add_parser("test", help="the whole test suite, or pytest with the arguments given")
    commands.add_parser("check", help="linters, types, architecture, migrations, snapshots")
    commands.add_parser("fix", help="repair what can be repaired")
    commands.add_parser("bench", help="[all | NAME…] [--json FILE]: benchmarks")
    commands.add_parser("trust", help="[NAME] [--full] [--seed N]: chaos and security runs")
    services = commands.add_parser("services", help="only PostgreSQL, Redis and object storage")
    services.add_argument("what", choices=SERVICES)
    commands.add_parser("build", help="rebuild the builder's bundle from source")
    return parser


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError(f"{text} is not a port between 1 and 65535")
    return int(text)


def _request_stop(_number: int, _frame: FrameType | None) -> None:
    raise StopRequested
