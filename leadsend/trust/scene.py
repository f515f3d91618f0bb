"""What trust runs have in common: the processes, the traffic through them, and the count after it."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leadsend.lib import clock
from leadsend.testing.pooler import PooledStack
from leadsend.testing.stack import Stack, running_stack, until
from leadsend.trust import flows, history
from leadsend.trust.announcing import announce_actions
from leadsend.trust.crash import demo_values
from leadsend.trust.flows import ONCE, TELL, Flow
from leadsend.trust.hands import Hands
from leadsend.trust.sink import Moods, Sink, running_sink
from leadsend.trust.traffic import Traffic
from leadsend.trust.verdict import Gate, percentile, zero
from leadsend.trust.watching import Watch

SETTLE_S = 60.0
MOST_ROUNDS = 10
HOOKS = ("web1", "web2")
_WARM_UP_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How large a run is. ``events`` at ``per_second``; everything random comes from ``seed``.

    ``is_pooled`` puts pgbouncer between the processes and the database.
    """

    events: int = 10_000
    per_second: float = 50.0
    seed: int = 1
    broker: str = "redis"
    lease_s: int = 30
    durable: bool = True
    workers: int = 2
    is_pooled: bool = False

    @property
    def members(self) -> tuple[str, ...]:
        """Return the names of the processes, those of either half with their numbers."""
        workers = (f"worker{number}" for number in range(1, self.workers + 1))
        return (*HOOKS, *workers, "beat1", "beat2")

    @property
    def duration_s(self) -> float:
        """Return how long sending takes."""
        return self.events / self.per_second


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A stack at work, with everything that plays around it."""

    form: Form
    stack: Stack
    sink: Sink
    token: str
    flow: Flow
    poison: Flow
    hands: Hands
    traffic: Traffic
    watch: Watch

    def hooks(self, flow: Flow) -> list[str]:
        """Return a flow's address at each web process."""
        return [f"{self.stack.url_of(name)}{flow.path}" for name in HOOKS]


@contextmanager
def play(
    form: Form,
    *,
    moods: Moods | None = None,
    settings: Callable[[Stack], Mapping[str, str]] = lambda _: {},
) -> Iterator[Scene]:
    """Start all processes with both workflows published; leave nothing behind.

    ``settings`` are asked for when the services run: more variables for the processes.
    """
    directory = Path(tempfile.mkdtemp(prefix="leadsend-trust-"))
    with running_sink(moods, seed=form.seed) as sink:
        try:
            with running_stack(
                directory,
                broker=form.broker,
                durable=form.durable,
                kind=PooledStack if form.is_pooled else Stack,
                settings={
                    "LEADSEND_EGRESS_ALLOW": f"127.0.0.1:{sink.port}",
                    "LEADSEND_LEASE_S": str(form.lease_s),
                    **announce_actions(directory),
                },
            ) as stack:
                yield from _play(form, stack, sink, settings)
        finally:
            _keep_logs(directory)


def _play(
    form: Form, stack: Stack, sink: Sink, settings: Callable[[Stack], Mapping[str, str]]
) -> Iterator[Scene]:
    token = demo_values(stack)["API_TOKEN"]
    stack.environment.update(settings(stack))
    stack.start(*form.members)
    flow = flows.publish_main(stack, token, sink)
    poison = flows.publish_poison(stack, token)
    history.install_shadow(stack)
    hands = Hands(stack, random.Random(form.seed))
    until(lambda: len(hands.engines()) >= form.workers, "each worker has an engine")
    stack.wait_for_engine()
    traffic = Traffic(
        hooks=[f"{stack.url_of(name)}{flow.path}" for name in HOOKS],
        secret=flow.secret,
        bodies=flows.lead,
        per_second=form.per_second,
        seed=form.seed,
    )
    watch = Watch(hands)
    watch.start()
    try:
        yield Scene(
            form=form,
            stack=stack,
            sink=sink,
            token=token,
            flow=flow,
            poison=poison,
            hands=hands,
            traffic=traffic,
            watch=watch,
        )
    finally:
        watch.close()
        hands.close()


def settle(scene: Scene) -> dict[str, Any]:
    """Wait until all is final, at most 60 s, then let a person answer every open question.

    Returns what is known only now: ``{"settled_after_s", "stuck", "uncertain", "uncertain_keys"}``.
    """
    began = time.monotonic()
    workflow_id = scene.flow.workflow_id

    def wait() -> int:
        ids = (workflow_id, scene.poison.workflow_id)
        while left := sum(history.unfinished(scene.stack, one) for one in ids):
            if time.monotonic() > began + SETTLE_S:
                break
            time.sleep(0.5)
        return left

    stuck = wait()
    settled_s = round(time.monotonic() - began, 1)
    stuck_rows = history.stuck_rows(scene.stack, workflow_id) if stuck else []
    keys: set[str] = set()
    # What is run again may be lost again.
    for _ in range(MOST_ROUNDS):
        asked = history.uncertain(scene.stack, workflow_id)
        if not asked:
            break
        keys |= {key for *_, key in asked}
        _answer_questions(scene, asked)
        began = time.monotonic()
        stuck = max(stuck, wait())
    return {
        "settled_after_s": settled_s,
        "stuck": stuck,
        "stuck_rows": stuck_rows,
        "uncertain": len(keys),
        "uncertain_keys": keys,
    }


def _answer_questions(scene: Scene, asked: list[tuple[str, str, str, str]]) -> None:
    """Do as a person does: look at the other side, then say whether it happened."""
    for execution_id, step_id, lead, _ in asked:
        happened = lead in scene.sink.keys_of(step_id)
        decision = "done" if happened else "run_again"
        answer = scene.stack.request(
            "POST",
            f"/api/v1/executions/{execution_id}/decide/",
            {"step_id": step_id, "decision": decision, "reason": "The sink was asked."},
            token=scene.token,
        )
        assert answer.status == 200, answer


def count(scene: Scene, settled: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of the table, whatever the faults were."""
    stack, sink, traffic, flow = scene.stack, scene.sink, scene.traffic, scene.flow
    statuses = history.by_status(stack, flow.workflow_id)
    told, once = sink.keys_of(TELL), sink.keys_of(ONCE)
    bodies = [
        traffic.bodies(number)
        for number in range(traffic.sent)
        if traffic.webhook_id(number) in traffic.accepted
    ]
    lost = [body for body in bodies if body["lead"] not in told]
    lost += [body for body in bodies if body["once"] and body["lead"] not in once]
    once_twice = sum(hits > 1 for hits in sink.hits_of(ONCE).values())
    two_keys = sum(len(keys) > 1 for keys in [*told.values(), *once.values()])
    executions = sum(statuses.values())
    rows_twice = history.rows_twice(stack)
    accepts = traffic.latencies_ms(lambda _: True)
    delays = sorted(delay for _, delay in history.start_delays_ms(stack, flow.workflow_id))
    last_accept = max(traffic.accepted.values(), default=traffic.began_at)
    since, until_s = sink.longest_silence(traffic.began_at + _WARM_UP_S, last_accept)
    return {
        "events": traffic.sent,
        "per_second": scene.form.per_second,
        "lease_s": scene.form.lease_s,
        "accepted": len(traffic.accepted),
        "given_up": len(traffic.given_up),
        "sent_twice": traffic.repeated,
        "refused_everywhere": traffic.refused_everywhere,
        "tries": len(traffic.tries),
        "executions": executions,
        "by_status": statuses,
        "effects": len(told),
        "effects_once": len(once),
        "arrivals": len(sink.arrivals),
        "lost": len(lost),
        "doubled": two_keys + once_twice + rows_twice + max(0, executions - len(traffic.accepted)),
        "under_two_keys": two_keys,
        "once_twice": once_twice,
        "rows_twice": rows_twice,
        "not_successful": executions - statuses.get("SUCCESS", 0),
        "failures": history.failures(stack, flow.workflow_id),
        "overwritten": history.overwritten(stack),
        "refused_overwrites": history.refused_overwrites(stack),
        "stuck": settled["stuck"],
        "stuck_rows": settled["stuck_rows"],
        "settled_after_s": settled["settled_after_s"],
        "uncertain": settled["uncertain"],
        "longest_silence_s": round(until_s - since, 1),
        "faults_in_silence": _happened_between(scene, since, until_s),
        "accept_p50_ms": percentile(accepts, 0.5),
        "accept_p99_ms": percentile(accepts, 0.99),
        "start_p50_ms": percentile(delays, 0.5),
        "start_p99_ms": percentile(delays, 0.99),
        "faults": dict(scene.hands.done),
        "most_connections": scene.watch.most_connections(),
    }


def _happened_between(scene: Scene, since: float, until: float) -> list[str]:
    """Return what happened in a silence and shortly before it, by seconds since it began."""
    epoch = clock.now().timestamp() - clock.monotonic()
    turns = [(at - epoch, what) for at, what in history.engine_turns(scene.stack)]
    noted = sorted([*scene.hands.noted, *turns])
    calls = sum(since < arrival.at < until for arrival in scene.sink.arrivals)
    told = [f"{at - since:+.0f} s: {what}" for at, what in noted if since - 20 <= at <= until]
    return [f"{calls} calls without an effect", *told]


def hard_gates(figures: Mapping[str, Any]) -> list[Gate]:
    """Return the zeros that every run is held to."""
    return [
        zero("given up by senders", figures["given_up"]),
        zero("accepted without execution", figures["accepted"] - figures["executions"]),
        zero("lost", figures["lost"]),
        zero("doubled", figures["doubled"]),
        zero("stuck after 60 s", figures["stuck"]),
        zero("not successful", figures["not_successful"]),
        zero("final states overwritten", figures["overwritten"]),
    ]


def _keep_logs(directory: Path) -> None:
    """Keep what the processes said, of the last run only."""
    kept = Path(".leadsend/trust/logs")
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True, exist_ok=True)
    for log in (*directory.glob("*.log"), *directory.glob("*/*.log")):
        shutil.copy(log, kept / log.name)
    shutil.rmtree(directory, ignore_errors=True)
