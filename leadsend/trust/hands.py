"""What can be done to a stack's processes: killed, asked to stop, frozen, started again."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial

import psutil
import psycopg

from devtools.processes import is_alive
from leadsend.testing.stack import Member, Stack, kill_process, until

FREEZE_S = 45.0
EXIT_LIMIT_S = 40.0
SLOW_EXIT_S = 10.0
HALVES = 2


@dataclass
class Hands:
    """Faults on processes, drawn from a seed.

    ``done`` counts them, ``noted`` says when (monotonic) which one hit whom; ``exits_s`` are times
    of ends, ``slow_exits`` who took longer than others.
    """

    stack: Stack
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter)
    noted: list[tuple[float, str]] = field(default_factory=list)
    exits_s: list[float] = field(default_factory=list)
    slow_exits: list[str] = field(default_factory=list)
    killed_after_limit: int = 0
    _frozen: dict[str, list[int]] = field(default_factory=dict)

    def members(self, kind: str) -> list[Member]:
        """Return the members of a kind: ``web``, ``worker``, ``beat``."""
        found = self.stack.members.items()
        return [member for name, member in found if name.startswith(kind)]

    def kill(self, kind: str) -> None:
        """Kill one member and start it again; of workers each second time its engines with it."""
        member = self.chance.choice(self.members(kind))
        family = member.children() if self.chance.random() < 0.5 else []
        member.kill()
        for pid in family:
            kill_process(pid)
        self._thaw(member.name)
        member.start()
        self._note(f"kill {kind}", f"{member.name}{' with its engines' if family else ''}")

    def kill_engine(self) -> None:
        """Kill one engine process; its host starts another."""
        engines: list[int] = until(self.engines, "a worker has an engine process")
        kill_process(self.chance.choice(engines))
        self._note("kill engine")

    def engines(self) -> list[int]:
        """Return the engine processes that the present workers have."""
        return [pid for worker in self.members("worker") for pid in worker.children()]

    def freeze(self) -> None:
        """Stop a worker and its engines for longer than a lease, without waiting for the end."""
        awake = [member for member in self.members("worker") if member.name not in self._frozen]
        if not awake:
            return
        member = self.chance.choice(awake)
        pids = [member.pid, *member.children()]
        self._frozen[member.name] = pids
        _signal(pids, signal.SIGSTOP)
        self._note("freeze worker", member.name)
        timer = threading.Timer(FREEZE_S, self._thaw, [member.name])
        timer.daemon = True
        timer.start()

    def has_frozen(self) -> bool:
        """Say whether somebody is frozen now."""
        return bool(self._frozen)

    def roll(self) -> None:
        """Restart everything by SIGTERM, one half at a time, as a deployment does."""
        for half in range(HALVES):
            members = [m for m in self.stack.members.values() if m.number % HALVES == half]
            self.noted.append((time.monotonic(), f"stop half {half}"))
            self._stop(members)
            for member in members:
                member.start()
            for member in members:
                self._wait_for(member)
        self._note("rolling restart", "over")

    def close(self) -> None:
        """Let everything that is frozen go on."""
        for name in list(self._frozen):
            self._thaw(name)

    def _stop(self, members: list[Member]) -> None:
        began = time.monotonic()
        for member in members:
            self._thaw(member.name)
            _signal([member.pid], signal.SIGTERM)
        left = list(members)
        while left and time.monotonic() < began + EXIT_LIMIT_S:
            ended = [member for member in left if not member.is_running]
            took_s = time.monotonic() - began
            self.exits_s += [took_s] * len(ended)
            if took_s > SLOW_EXIT_S:
                self.slow_exits += [f"{member.name} {took_s:.1f} s" for member in ended]
            left = [member for member in left if member not in ended]
            time.sleep(0.05)
        for member in left:
            self.exits_s.append(EXIT_LIMIT_S)
            self.slow_exits.append(f"{member.name} never")
            self.killed_after_limit += 1
            # With faulthandler on, the log then says where each thread is.
            _signal([member.pid, *member.children()], signal.SIGABRT)
            time.sleep(1)
            member.kill()

    def _note(self, fault: str, whom: str = "") -> None:
        self.done[fault] += 1
        self.noted.append((time.monotonic(), f"{fault} {whom}".strip()))

    def _wait_for(self, member: Member) -> None:
        if member.name.startswith("web"):
            self.stack.wait_for_web(member.name)
        elif member.name.startswith("worker"):
            until(partial(self._is_at_work, member), "the engine signed on")

    def _is_at_work(self, worker: Member) -> bool:
        try:
            rows = self.stack.sql("SELECT pid FROM worker WHERE stopped_at IS NULL")
        except psycopg.OperationalError:
            return False
        return bool({pid for (pid,) in rows} & set(worker.children()))

    def _thaw(self, name: str) -> None:
        _signal(self._frozen.pop(name, []), signal.SIGCONT)


def resident_bytes(pids: list[int]) -> int:
    """Return how much memory processes hold; those that are gone hold none."""
    total = 0
    for pid in pids:
        try:
            total += psutil.Process(pid).memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        if is_alive(pid):
            os.kill(pid, number)
