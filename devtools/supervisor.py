"""Runs programs side by side: starts them in order, shows what they say, restarts, stops them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devtools.console import paint, say
from devtools.guardian import Guardian
from devtools.processes import end, marked

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
# Who ran this long has recovered: the next pause is the first one again.
HEALTHY_AFTER_S = 60.0
# The worker gives running effects 25 s.
GRACE_S = 30.0
CHUNK_BYTES = 65_536
LAST_WORDS_S = 1.0
COLOURS = ("cyan", "magenta", "yellow", "blue", "green")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One process to keep running. ``is_ready`` is asked until it says yes; None: at once."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    is_ready: Callable[[], Awaitable[bool]] | None = None
    ready_timeout_s: float = 60.0


class Supervisor:
    """Keeps programs running until it is told to stop."""

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        guardian: Guardian,
        first_pause_s: float = FIRST_PAUSE_S,
        grace_s: float = GRACE_S,
    ) -> None:
        self._programs = programs
        self._guardian = guardian
        self._first_pause_s = first_pause_s
        self._grace_s = grace_s
        self._width = max(len(program.name) for program in programs)
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._stop = asyncio.Event()
        self._stops_asked = 0

    async def run(self, *, on_ready: Callable[[], None] = lambda: None) -> None:
        """Run all programs, each when the one before is ready; return when all are stopped.

        SIGINT, SIGTERM and SIGHUP stop them; a second signal does so without grace.
        ``on_ready`` is called once, when the last one is ready.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.stop)
        keepers: list[asyncio.Task[None]] = []
        try:
            await self._start_all(keepers, on_ready)
            await self._stop.wait()
        finally:
            await self._end_all(keepers)

    def stop(self) -> None:
        """Ask for the end; asked a second time, kill."""
        self._stops_asked += 1
        self._stop.set()
        if self._stops_asked > 1:
            self._signal_groups(signal.SIGKILL)

    async def _start_all(
        self, keepers: list[asyncio.Task[None]], on_ready: Callable[[], None]
    ) -> None:
        for index, program in enumerate(self._programs):
            colour = COLOURS[index % len(COLOURS)]
            keepers.append(asyncio.create_task(self._keep(program, colour)))
            await self._until_ready(program)
            if self._stop.is_set():
                return
        on_ready()

    async def _until_ready(self, program: Program) -> None:
        if program.is_ready is None:
            return
        started = time.monotonic()
        is_told = False
        while not self._stop.is_set() and not await program.is_ready():
            if not is_told and time.monotonic() - started > program.ready_timeout_s:
                is_told = True
                say(f"{program.name} still does not answer; what it says is shown above. Waiting …")
            await asyncio.sleep(0.05)

    async def _keep(self, program: Program, colour: str) -> None:
        """Run a program again and again, with longer and longer pauses."""
        pause_s = self._first_pause_s
        prefix = paint(program.name.ljust(self._width), colour) + " │ "
        while not self._stop.is_set():
            started = time.monotonic()
            code = await self._run_once(program, prefix)
            if self._stop.is_set():
                return
            if time.monotonic() - started > HEALTHY_AFTER_S:
                pause_s = self._first_pause_s
            say(f"{prefix}stopped ({_how(code)}); starting it again in {pause_s:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _run_once(self, program: Program, prefix: str) -> int | str:
        """Run a program to its end; return its exit code, or why it could not be started."""
        # A pipe of our own: asyncio's would make wait() last until every heir of it has ended.
        reading, writing = os.pipe()
        shower = asyncio.create_task(_show(reading, prefix))
        try:
            process = await asyncio.create_subprocess_exec(
                *program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                env={**program.env, **self._guardian.mark},
                cwd=program.cwd,
                start_new_session=True,
            )
        except OSError as refusal:
            return str(refusal)
        finally:
            os.close(writing)
        self._running[program.name] = process
        code = await process.wait()
        # What it left behind would hold its port or its leases.
        _signal_group(process.pid, signal.SIGKILL)
        del self._running[program.name]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(shower, LAST_WORDS_S)
        return code

    async def _end_all(self, keepers: list[asyncio.Task[None]]) -> None:
        """Stop in three steps: ask each program, kill what is left of them, sweep up the rest."""
        self._stop.set()
        for process in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        _, late = await asyncio.wait(keepers, timeout=self._grace_s)
        if late:
            self._signal_groups(signal.SIGKILL)
            await asyncio.wait(late, timeout=5.0)
        await asyncio.to_thread(end, lambda: marked(self._guardian.token), grace_s=2.0)

    def _signal_groups(self, number: signal.Signals) -> None:
        for process in self._running.values():
            _signal_group(process.pid, number)


async def _show(descriptor: int, prefix: str) -> None:
    """Print what comes through a pipe line by line, however long the lines are."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb")
    )
    rest = b""
    try:
        while chunk := await reader.read(CHUNK_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                say(prefix + line.decode(errors="replace").rstrip("\r"))
    finally:
        transport.close()
    if rest:
        say(prefix + rest.decode(errors="replace"))


def _how(code: int | str) -> str:
    if isinstance(code, str):
        return code
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
