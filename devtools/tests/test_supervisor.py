"""The supervisor keeps programs running, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from devtools.guardian import Guardian
from devtools.processes import marked, wait_until
from devtools.project import THIS
from devtools.supervisor import Program, Supervisor

PROCESSES = 6  # two programs, each with two children


def start_supervised(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Start the stand-in; return it and its mark when all its processes run."""
    process = subprocess.Popen(
        [sys.executable, "-m", "devtools.tests.supervised", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=THIS.root,
        start_new_session=True,
    )
    assert process.stdout is not None
    token = process.stdout.readline().strip()
    assert process.stdout.readline().strip() == "ready"
    assert wait_until(lambda: len(marked(token)) == PROCESSES, timeout_s=10)
    return process, token


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_everything_grandchildren_included(
    tmp_path: Path, number: signal.Signals
) -> None:
    process, token = start_supervised(tmp_path)

    process.send_signal(number)
    process.communicate(timeout=20)

    assert process.returncode == 0
    assert marked(token) == []


def test_ctrl_c_in_the_terminal_stops_everything(tmp_path: Path) -> None:
    process, token = start_supervised(tmp_path)

    os.killpg(process.pid, signal.SIGINT)  # the terminal signals its whole foreground group
    process.communicate(timeout=20)

    assert marked(token) == []


@pytest.mark.scenario
def test_nothing_survives_a_kill_9_of_the_supervisor(tmp_path: Path) -> None:
    process, token = start_supervised(tmp_path)

    process.kill()
    process.communicate(timeout=20)

    # The stubborn ones get the whole grace before they are killed.
    assert wait_until(lambda: marked(token) == [], timeout_s=45, every_s=0.2)


def test_a_program_that_dies_is_started_again_with_growing_pauses(
    tmp_path: Path, guard: Guardian, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = tmp_path / "starts"
    code = f"open({str(notes)!r}, 'a').write('x'); print('about to fail'); raise SystemExit(3)"
    supervisor = Supervisor(
        [make_program(code, tmp_path)], guardian=guard, first_pause_s=0.02, grace_s=1.0
    )

    asyncio.run(run_until(supervisor, lambda: notes.exists() and len(notes.read_text()) >= 3))

    said = capsys.readouterr().out
    assert "fake │ about to fail" in said
    assert "fake │ stopped (exit code 3); starting it again in 0.02 s" in said
    assert "fake │ stopped (exit code 3); starting it again in 0.04 s" in said


def test_a_program_that_cannot_be_started_is_named(
    tmp_path: Path, guard: Guardian, capsys: pytest.CaptureFixture[str]
) -> None:
    program = Program(name="gone", command=[str(tmp_path / "no")], env={}, cwd=tmp_path)
    supervisor = Supervisor([program], guardian=guard, first_pause_s=0.02, grace_s=1.0)
    said: list[str] = []

    def is_told() -> bool:
        said.append(capsys.readouterr().out)
        return "No such file" in "".join(said)

    asyncio.run(run_until(supervisor, is_told))

    assert "gone │ stopped ([Errno 2] No such file or directory" in "".join(said)


def test_the_second_program_starts_when_the_first_is_ready(tmp_path: Path, guard: Guardian) -> None:
    sign = tmp_path / "ready"
    order: list[str] = []

    async def is_ready() -> bool:
        order.append("asked")
        if len(order) == 3:
            sign.touch()
        return sign.exists()

    sleeping = "import time; time.sleep(60)"
    first = make_program(sleeping, tmp_path, is_ready=is_ready)
    second_code = (
        f"import os; open('second', 'w').write(str(os.path.exists({str(sign)!r}))); {sleeping}"
    )
    second = make_program(second_code, tmp_path, name="second")
    supervisor = Supervisor([first, second], guardian=guard, grace_s=1.0)

    asyncio.run(run_until(supervisor, lambda: bool(read(tmp_path / "second"))))

    assert read(tmp_path / "second") == "True"


def test_long_lines_and_broken_text_are_shown(
    tmp_path: Path, guard: Guardian, capsys: pytest.CaptureFixture[str]
) -> None:
    done = tmp_path / "done"
    code = (
        "import sys, time\n"
        "sys.stdout.buffer.write(b'a' * 300_000 + b'\\n' + b'\\xff end\\n')\n"
        "sys.stdout.flush()\n"
        f"open({str(done)!r}, 'w').close(); time.sleep(60)"
    )
    supervisor = Supervisor([make_program(code, tmp_path)], guardian=guard, grace_s=1.0)

    asyncio.run(run_until(supervisor, done.exists))

    said = capsys.readouterr().out
    assert "a" * 300_000 in said
    assert "� end" in said


def make_program(
    code: str,
    cwd: Path,
    *,
    name: str = "fake",
    is_ready: Callable[[], Awaitable[bool]] | None = None,
) -> Program:
    return Program(
        name=name,
        command=[sys.executable, "-c", code],
        env=dict(os.environ),
        cwd=cwd,
        is_ready=is_ready,
    )


def read(file: Path) -> str:
    return file.read_text() if file.exists() else ""


async def run_until(supervisor: Supervisor, is_enough: Callable[[], bool]) -> None:
    """Run the supervisor until the condition holds, at most 10 s."""
    running = asyncio.create_task(supervisor.run())
    is_reached = await asyncio.to_thread(wait_until, is_enough, timeout_s=10.0)
    supervisor.stop()
    await running
    assert is_reached
