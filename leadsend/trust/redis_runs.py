"""T2: Redis is emptied, stopped, restarted and full, and only wake-ups may be late."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import redis

from leadsend.lib import clock
from leadsend.trust import history
from leadsend.trust.scene import Form, Scene, count, hard_gates, play, settle
from leadsend.trust.schedule import Planned, Player, at_random, evenly
from leadsend.trust.verdict import Gate, percentile, result_of

FULL_EVENTS = 10_000
FLUSHES, STOPS, RESTARTS = 20, 3, 5
AWAY_S = 60.0
PAUSE_S = 10.0
START_DELAY_MS = 2000.0
SLOWER = 2.0
# Below this the ratio of two accept times says more about the machine than about Redis.
FAST_MS = 50.0


@dataclass
class RedisFaults:
    """Acts on the stack's Redis; ``away`` are times without it, in monotonic and epoch seconds."""

    scene: Scene
    away: list[tuple[float, float]] = field(default_factory=list)
    away_epoch: list[tuple[float, float]] = field(default_factory=list)
    _since: tuple[float, float] = (0.0, 0.0)

    def acts(self) -> dict[str, Callable[[], None]]:
        """Return what each name in a plan does."""
        return {
            "flush": lambda: self._ask("flush", lambda client: client.flushall()),
            "stop": self._stop,
            "start": self._start,
            "restart": self._restart,
            "full": lambda: self._limit("full", "1"),
            "room": lambda: self._limit("room again", "256mb"),
        }

    def was_away(self, at: float) -> bool:
        """Say whether Redis was stopped at a monotonic moment."""
        return any(begin <= at <= end for begin, end in self.away)

    def was_away_at_epoch(self, at: float) -> bool:
        """Say whether Redis was stopped at a moment in seconds since the epoch."""
        return any(begin <= at <= end for begin, end in self.away_epoch)

    def _server(self) -> Any:
        server = self.scene.stack.services.redis
        assert server is not None, "T2 needs Redis as broker"
        return server

    def _stop(self) -> None:
        self._server().kill()
        self._since = (time.monotonic(), clock.now().timestamp())
        self.scene.hands.done["stop redis"] += 1

    def _start(self) -> None:
        self.away.append((self._since[0], time.monotonic()))
        self.away_epoch.append((self._since[1], clock.now().timestamp()))
        self._server().start()

    def _restart(self) -> None:
        self._server().kill()
        self._server().start()
        self.scene.hands.done["restart redis"] += 1

    def _limit(self, name: str, size: str) -> None:
        self._ask(name, lambda client: client.config_set("maxmemory", size))

    def _ask(self, name: str, act: Callable[[Any], Any]) -> None:
        with redis.from_url(self._server().url) as client:
            act(client)
        self.scene.hands.done[name] += 1


def run(form: Form) -> dict[str, Any]:
    """Play it; return figures, gates and ``passed``. Fewer than 10,000 events get their share."""
    with play(form) as scene:
        faults = RedisFaults(scene)
        before = _pids(scene)
        player = Player(plan_of(form), faults.acts())
        player.start()
        scene.traffic.run(least=form.events, goes_on=player.is_playing)
        player.join()
        settled = settle(scene)
        figures = count(scene, settled) | _own_figures(scene, faults)
        figures["processes_replaced"] = len(before - _pids(scene))
        return result_of(figures, [*hard_gates(figures), *_own_gates(figures)])


def plan_of(form: Form) -> list[Planned]:
    """Return when which fault happens: flushes first, then stops, restarts, and a full Redis."""
    share = min(1.0, form.events / FULL_EVENTS)
    flushes, stops, restarts = (max(1, round(n * share)) for n in (FLUSHES, STOPS, RESTARTS))
    away_s = max(10.0, AWAY_S * share)
    at_s = 10.0 + 2.0 * flushes
    plan = at_random(random.Random(form.seed), {"flush": flushes}, first_s=5.0, last_s=at_s)
    for _ in range(stops):
        plan += [(at_s, "stop"), (at_s + away_s, "start")]
        at_s += away_s + PAUSE_S
    plan += evenly("restart", restarts, first_s=at_s, every_s=PAUSE_S)
    at_s += restarts * PAUSE_S
    return [*plan, (at_s, "full"), (at_s + away_s, "room")]


def _own_figures(scene: Scene, faults: RedisFaults) -> dict[str, Any]:
    traffic = scene.traffic
    warm = traffic.began_at + 3.0
    present = traffic.latencies_ms(lambda one: one.began > warm and not faults.was_away(one.began))
    away = traffic.latencies_ms(lambda one: faults.was_away(one.began))
    delays = history.start_delays_ms(scene.stack, scene.flow.workflow_id)
    late = sorted(delay for at, delay in delays if faults.was_away_at_epoch(at))
    return {
        "accept_p99_with_redis_ms": percentile(present, 0.99),
        "accept_p99_without_ms": percentile(away, 0.99),
        "start_p99_without_ms": percentile(late, 0.99),
    }


def _own_gates(figures: dict[str, Any]) -> list[Gate]:
    most = max(FAST_MS, SLOWER * figures["accept_p99_with_redis_ms"])
    delay = max(figures["start_p99_without_ms"], figures["start_p99_ms"])
    return [
        Gate(
            name="accept p99 without Redis, ms", value=figures["accept_p99_without_ms"], most=most
        ),
        Gate(name="start delay p99, ms", value=delay, most=START_DELAY_MS),
        Gate(name="processes replaced", value=figures["processes_replaced"], must=0),
    ]


def _pids(scene: Scene) -> set[int]:
    members = scene.stack.members.values()
    return {pid for member in members for pid in (member.pid, *member.children())}
