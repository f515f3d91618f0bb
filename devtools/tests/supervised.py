"""A stand-in for `./dev up`: supervises programs that leave grandchildren everywhere.

Arguments: a folder for what the programs note. Prints the run's token, then "ready".
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from devtools.console import say
from devtools.guardian import Guardian
from devtools.supervisor import Program, Supervisor

SLEEP = "import time; time.sleep(300)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"
# One child in the parent's group, one in a session of its own, as a daemon would be.
PARENT = (
    "import subprocess, sys, time\n"
    f"subprocess.Popen([sys.executable, '-c', {SLEEP!r}])\n"
    f"subprocess.Popen([sys.executable, '-c', {STUBBORN!r}], start_new_session=True)\n"
    "open(sys.argv[1], 'w').close()\n"
    "time.sleep(300)\n"
)


def main(folder: Path) -> None:
    guard = Guardian()
    say(guard.token)
    programs = [_program(f"parent{number}", folder) for number in (1, 2)]
    supervisor = Supervisor(programs, guardian=guard, grace_s=2.0)
    asyncio.run(supervisor.run(on_ready=lambda: say("ready")))
    guard.dismiss()


def _program(name: str, folder: Path) -> Program:
    note = folder / name

    async def is_ready() -> bool:
        return note.exists()

    command = [sys.executable, "-c", PARENT, str(note)]
    return Program(name=name, command=command, env=dict(os.environ), cwd=folder, is_ready=is_ready)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
