"""T1: seven mixes of faults under a steady stream of events."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from leadsend.lib import clock
from leadsend.trust import history
from leadsend.trust.flows import ONCE
from leadsend.trust.poisons import Poisons
from leadsend.trust.scene import Form, Scene, count, hard_gates, play, settle
from leadsend.trust.schedule import Planned, Player, at_random, evenly
from leadsend.trust.senders import post_signed
from leadsend.trust.sink import Moods
from leadsend.trust.verdict import Gate, result_of, zero

# Lease 30, reaper 5, start 5.
SILENCE_S = 40.0
# The database's clock and the sink's are read at different moments.
CLOSE_S = 0.05
FREEZE_EVERY_S = 48.0
GOOD_SINK = Moods()
BAD_SINK = Moods(busy=0.2, limited=0.1, hangs=0.05, loses=0.05)
SOAK_EVENTS, SOAK_PER_SECOND = 36_000, 20.0
FULL_EVENTS = 10_000
LANDING = "adg"
# Nothing runs for ever: faults that are this late are given up.
LATE = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """The faults of 10,000 events (of the whole soak); fewer events get their share."""

    kills: Mapping[str, int]
    rolls: int = 0
    freezes: int = 0
    moods: Moods = GOOD_SINK
    silence_s: float | None = SILENCE_S


MIXES = {
    "a": Mix(kills={"worker": 50}),
    "b": Mix(kills={"engine": 50, "poison": 10}),
    "c": Mix(kills={"web": 30, "beat": 20}),
    "d": Mix(kills={}, rolls=20),
    "e": Mix(kills={}, freezes=10),
    "f": Mix(kills={}, moods=BAD_SINK),
    "g": Mix(
        kills={"worker": 50, "engine": 50, "poison": 10, "web": 30, "beat": 20},
        rolls=20,
        freezes=10,
        moods=BAD_SINK,
    ),
}


def run(letter: str, form: Form) -> dict[str, Any]:
    """Play one mix; return its figures, its gates and whether all hold (``passed``)."""
    mix = MIXES[letter]
    with play(form, moods=mix.moods) as scene:
        poisons = _poisons(scene)
        player = Player(plan_of(mix, form, letter), acts_of(scene, poisons))
        player.start()
        limit = time.monotonic() + LATE * form.duration_s + 600
        scene.traffic.run(
            least=form.events,
            goes_on=lambda: (
                (player.is_playing() or scene.hands.has_frozen()) and time.monotonic() < limit
            ),
        )
        player.join()
        scene.hands.close()
        poisons.join()
        settled = settle(scene)
        figures = {**count(scene, settled), **_own_figures(scene, poisons)}
        gates = [*hard_gates(figures), *_own_gates(letter, mix, scene, figures, settled)]
        return result_of(figures, gates)


def run_landing(form: Form) -> dict[str, Any]:
    """Play the mixes a, d and g with a third of the events each, one after the other."""
    third = replace(form, events=form.events // len(LANDING))
    found = {letter: run(letter, third) for letter in LANDING}
    return {
        **{f"mix {letter}": result for letter, result in found.items()},
        "gates": {
            f"{letter}: {name}": gate
            for letter, result in found.items()
            for name, gate in result["gates"].items()
        },
        "passed": all(result["passed"] for result in found.values()),
    }


def plan_of(mix: Mix, form: Form, letter: str) -> list[Planned]:
    """Return when which fault happens."""
    whole = SOAK_EVENTS if letter == "g" else FULL_EVENTS
    share = min(1.0, form.events / whole)
    counts = {name: max(1, round(n * share)) for name, n in mix.kills.items()}
    chance = random.Random(form.seed)
    plan = at_random(chance, counts, first_s=1.0, last_s=form.duration_s)
    rolls, freezes = (max(1, round(n * share)) if n else 0 for n in (mix.rolls, mix.freezes))
    plan += evenly("roll", rolls, first_s=2.0, every_s=form.duration_s / max(rolls, 1))
    every_s = max(FREEZE_EVERY_S, form.duration_s / max(freezes, 1))
    return plan + evenly("freeze", freezes, first_s=3.0, every_s=every_s)


def _send_poison(scene: Scene, poisons: Poisons) -> None:
    scene.hands.done["poison"] += 1
    poisons.send()


def acts_of(scene: Scene, poisons: Poisons) -> dict[str, Callable[[], None]]:
    """Return what each name in a plan does."""
    hands = scene.hands
    return {
        "worker": lambda: hands.kill("worker"),
        "web": lambda: hands.kill("web"),
        "beat": lambda: hands.kill("beat"),
        "engine": hands.kill_engine,
        "freeze": hands.freeze,
        "roll": hands.roll,
        "poison": lambda: _send_poison(scene, poisons),
    }


def soak_form(form: Form) -> Form:
    """Return the form of the soak: 30 min at 20/s, unless fewer events were asked for."""
    is_whole = form.events >= FULL_EVENTS
    return replace(
        form, events=SOAK_EVENTS if is_whole else form.events, per_second=SOAK_PER_SECOND
    )


def _poisons(scene: Scene) -> Poisons:
    hooks = scene.hooks(scene.poison)

    def post(number: int, turn: int) -> int:
        hook = hooks[turn % len(hooks)]
        return post_signed(hook, scene.poison.secret, f"poison_{number}", {"n": number})

    return Poisons(post)


def _own_figures(scene: Scene, poisons: Poisons) -> dict[str, Any]:
    hands, watch = scene.hands, scene.watch
    poisoned = history.poisoned(scene.stack, scene.poison.workflow_id)
    early, unheard = _too_early(scene)
    return {
        "retry_too_early": early,
        "retry_after_unheard": unheard,
        "exits": len(hands.exits_s),
        "longest_exit_s": round(max(hands.exits_s, default=0.0), 1),
        "slow_exits": hands.slow_exits,
        "poison_sent": poisons.sent,
        "poison_accepted": len(poisons.accepted),
        "poison_ends": [f"{status} {code}, {n} crashes" for status, code, n in poisoned],
        "poison_given_up": sum(code == "poison" for _, code, _ in poisoned),
        "most_crashes_of_a_poison": max((crashes for *_, crashes in poisoned), default=0),
        "rss_drift": watch.resident_drift(),
        "connection_drift": watch.connection_drift(),
        "dead_rows_per_live": watch.bloat(),
        "course": watch.course() if watch.resident_drift() is not None else [],
    }


def _too_early(scene: Scene) -> tuple[int, int]:
    """Return how many retries came too early: although we had written it down, and the others.

    An engine that is killed between an answer and its commit takes a Retry-After with it: then
    nobody knows of it, and the retry comes as after any lost answer.
    """
    early = scene.sink.too_early()
    due = history.retries_due(scene.stack, {key for key, _ in early})
    epoch = clock.now().timestamp() - clock.monotonic()
    known = sum(
        any(written < at + epoch < due_at - CLOSE_S for written, due_at in due.get(key, ()))
        for key, at in early
    )
    return known, len(early) - known


def _own_gates(
    letter: str, mix: Mix, scene: Scene, figures: Mapping[str, Any], settled: Mapping[str, Any]
) -> list[Gate]:
    gates = []
    if mix.silence_s is not None:
        silence = figures["longest_silence_s"]
        gates.append(Gate(name="longest silence, s", value=silence, most=mix.silence_s))
    if "poison" in mix.kills:
        missing = figures["poison_sent"] - figures["poison_given_up"]
        gates.append(zero("poison not in the dead letters", missing))
        crashes = figures["most_crashes_of_a_poison"]
        gates.append(Gate(name="crashes by one poison", value=crashes, most=3))
    if mix.rolls:
        gates.append(Gate(name="longest exit, s", value=figures["longest_exit_s"], most=30))
    if letter == "d":
        gates.append(zero("uncertain", figures["uncertain"]))
        share = figures["refused_everywhere"] / max(figures["tries"], 1)
        gates.append(Gate(name="accept errors, share", value=round(share, 5), most=0.001))
    if mix.moods != GOOD_SINK:
        gates.append(zero("retries before Retry-After", figures["retry_too_early"]))
    if mix.moods != GOOD_SINK and not mix.kills:
        gates.append(zero("answers nobody heard", figures["retry_after_unheard"]))
    if letter == "f":
        differing = settled["uncertain_keys"] ^ scene.sink.answers_lost(ONCE)
        gates.append(zero("uncertain without lost answer, or the reverse", len(differing)))
    if letter == "g":
        gates += _soak_gates(figures)
    return gates


def _soak_gates(figures: Mapping[str, Any]) -> list[Gate]:
    worst = max(figures["dead_rows_per_live"].values(), default=0.0)
    gates = [Gate(name="dead rows per live row", value=worst, most=1)]
    if figures["rss_drift"] is not None:
        gates.append(Gate(name="memory drift", value=figures["rss_drift"], most=0.1))
    if figures["connection_drift"] is not None:
        gates.append(Gate(name="connection drift", value=figures["connection_drift"], most=0.25))
    return gates
