"""Faults for trust runs: a schedule of what breaks when, drawn from a seed."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import redis

from leadsend.testing.stack import Member, Stack, kill_process, until


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """How many of each fault fall into ``over_s`` seconds."""

    over_s: float
    workers: int
    engines: int
    webs: int
    flushes: int
    redis_away_s: float
    postgres_restarts: int


@dataclass
class Faults:
    """Breaks a stack in a thread of its own; ``done`` counts what was broken."""

    stack: Stack
    mix: Mix
    seed: int
    chance: random.Random = field(init=False)
    done: Counter[str] = field(default_factory=Counter)
    failure: BaseException | None = None

    def __post_init__(self) -> None:
        # Seeded, so that a run can be repeated; nothing here is a secret.
        self.chance = random.Random(self.seed)

    def start(self) -> threading.Thread:
        """Begin; join the thread to wait for the last fault."""
        thread = threading.Thread(target=self._run, name="faults", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        started = time.monotonic()
        try:
            for at_s, name in self._schedule():
                time.sleep(max(0.0, started + at_s - time.monotonic()))
                self._acts()[name]()
                self.done[name] += 1
        except BaseException as error:
            self.failure = error
            raise

    def _schedule(self) -> list[tuple[float, str]]:
        mix = self.mix
        counts = {"worker": mix.workers, "engine": mix.engines, "web": mix.webs}
        if self.stack.services.redis is not None:
            counts["flush"] = mix.flushes
        plan = [
            (self.chance.uniform(0.5, mix.over_s), name)
            for name, count in counts.items()
            for _ in range(count)
        ]
        plan += [(mix.over_s * 0.6, "postgres")] * mix.postgres_restarts
        if self.stack.services.redis is not None and mix.redis_away_s:
            begin = mix.over_s * 0.25
            plan += [(begin, "redis away"), (begin + mix.redis_away_s, "redis back")]
        return sorted(plan)

    def _acts(self) -> dict[str, Callable[[], None]]:
        return {
            "worker": lambda: self._kill_and_start(self.chance.choice(self._workers())),
            "web": lambda: self._kill_and_start(self.stack.members["web"]),
            "engine": self._kill_engine,
            "flush": self._flush,
            "redis away": self._redis_away,
            "redis back": self._redis_back,
            "postgres": self._restart_postgres,
        }

    def _workers(self) -> list[Member]:
        members = self.stack.members.items()
        return [member for name, member in members if name.startswith("worker")]

    def _kill_and_start(self, member: Member) -> None:
        member.kill()
        member.start()

    def _kill_engine(self) -> None:
        # A worker that has just been started may have none yet: the fault has to hit one.
        engines: list[int] = until(self._engines, "a worker has an engine process")
        kill_process(self.chance.choice(engines))

    def _engines(self) -> list[int]:
        return [pid for worker in self._workers() for pid in worker.children()]

    def _flush(self) -> None:
        service = self.stack.services.redis
        if service is not None and service.pid is not None:
            with redis.from_url(service.url) as client:
                client.flushall()

    def _redis_away(self) -> None:
        if self.stack.services.redis is not None:
            self.stack.services.redis.kill()

    def _redis_back(self) -> None:
        if self.stack.services.redis is not None:
            self.stack.services.redis.start()

    def _restart_postgres(self) -> None:
        if self.stack.services.postgres is not None:
            self.stack.services.postgres.restart_immediate()
