"""T4: each time fires once, whatever happens to beats, clocks, processes and rules meanwhile."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from leadsend.testing.stack import Stack, running_stack, until
from leadsend.trust import clock_changes
from leadsend.trust.crash import demo_values
from leadsend.trust.hands import Hands
from leadsend.trust.schedule import Player, evenly
from leadsend.trust.verdict import Gate, percentile, result_of, zero

PER_WORKFLOW = 10
KILL_EVERY_S = 30.0
EDITED, TOGGLED = 10, 10
SETTLE_S = 60.0
DELAY_MS = 2000.0
SKEWED = {"worker3": "+1", "worker4": "-1"}
DOWN_H = 3
_MINUTE = timedelta(minutes=1)
# The same times in other words: each is another rule, and its change must lose and double nothing.
SAME_RULES = ("* * * * *", "every minute", "*/1 * * * *", "0-59 * * * *")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of it: minutes with dying beats, minutes with wrong clocks, schedules at once."""

    minutes: int
    skewed_minutes: int
    schedules: int
    crowd: int


FULL = Size(minutes=10, skewed_minutes=3, schedules=200, crowd=2000)
SHORT = Size(minutes=2, skewed_minutes=1, schedules=20, crowd=200)


def run(*, is_full: bool, seed: int) -> dict[str, Any]:
    """Play every part; return figures, gates and ``passed``."""
    size = FULL if is_full else SHORT
    figures: dict[str, Any] = {"clock changes": clock_changes.compare(is_full=is_full)}
    directory = Path(tempfile.mkdtemp(prefix="leadsend-trust-"))
    with running_stack(directory, durable=True) as stack:
        play = _Play(stack, size, random.Random(seed))
        figures |= {
            "beats die": play.beats_die(),
            "clocks are wrong": play.clocks_are_wrong(),
            "three hours away": play.hours_away(),
            "at once": play.at_once(),
        }
    return result_of(figures, _gates(figures, size))


def _gates(figures: Mapping[str, Any], size: Size) -> list[Gate]:
    changes, away = figures["clock changes"], figures["three hours away"]
    dying, wrong, crowd = (figures[n] for n in ("beats die", "clocks are wrong", "at once"))
    gates = [
        zero("clock changes: rules that differ from the oracle", changes["differing"]),
        zero("skip: fired after 3 h away", away["skip"]["fired"]),
        Gate(name="latest: fired after 3 h away", value=away["latest"]["fired"], must=1),
        Gate(name="all: fired after 3 h away", value=away["all"]["fired"], must=DOWN_H),
        zero("missed times without a row", sum(DOWN_H - one["recorded"] for one in away.values())),
        Gate(name="at once: fired", value=crowd["fired"], must=size.crowd),
        Gate(name="at once: start p99, ms", value=crowd["start_p99_ms"], most=DELAY_MS),
        Gate(name="beats die: start p99, ms", value=dying["start_p99_ms"], most=DELAY_MS),
        zero("edited: runs of an older version", dying["older_versions"]),
        zero("toggled: fired twice", dying["toggled"]["doubled"]),
    ]
    for name, part in (("beats die", dying), ("clocks are wrong", wrong)):
        gates += [
            Gate(name=f"{name}: fired", value=part["steady"]["fired"], must=part["expected"]),
            zero(f"{name}: doubled", part["steady"]["doubled"] + part["edited"]["doubled"]),
            zero(f"{name}: early", part["early"]),
            zero(f"{name}: edited, not fired", part["edited_expected"] - part["edited"]["fired"]),
        ]
    return gates


class _Play:
    """A stack with schedules, and what is done to it."""

    def __init__(self, stack: Stack, size: Size, chance: random.Random) -> None:
        self._stack, self._size, self._chance = stack, size, chance
        self._token = demo_values(stack)["API_TOKEN"]
        stack.start("web1", "worker1", "worker2", "beat1", "beat2")
        stack.wait_for_engine()
        self._hands = Hands(stack, chance)
        self._steady = self._publish("steady", ["* * * * *"] * size.schedules)
        self._edited = self._publish("edited", ["* * * * *"] * EDITED, per_workflow=1)
        self._toggled = self._publish("toggled", ["* * * * *"] * TOGGLED, per_workflow=1)

    def beats_die(self) -> dict[str, Any]:
        """Let minutes pass while beats are killed and rules are edited and switched."""
        kills = evenly(
            "beat",
            int(self._size.minutes * 60 / KILL_EVERY_S) - 1,
            first_s=KILL_EVERY_S / 2,
            every_s=KILL_EVERY_S,
        )
        player = Player(kills, {"beat": lambda: self._hands.kill("beat")})
        with self._meddling():
            begin = self._next_minute()
            player.start()
            figures = self._watch(begin, self._size.minutes)
            player.join()
        return figures | {
            "beats_killed": self._hands.done["kill beat"],
            "older_versions": self._older_versions(),
        }

    def clocks_are_wrong(self) -> dict[str, Any]:
        """Replace the workers by two whose clocks are an hour ahead and an hour behind."""
        for name in ("worker1", "worker2"):
            self._stack.members[name].stop()
        path = _wrong_clocks(self._stack.directory)
        for name, hours in SKEWED.items():
            self._stack.own_settings[name] = {"PYTHONPATH": path, "LEADSEND_TRUST_CLOCK_H": hours}
        self._stack.start(*SKEWED)
        with self._meddling():
            figures = self._watch(self._next_minute(), self._size.skewed_minutes)
        for name in SKEWED:
            self._stack.members[name].stop()
        return figures

    def hours_away(self) -> dict[str, Any]:
        """Let nobody run for what looks like three hours; return what became of the ticks."""
        for name in ("beat1", "beat2"):
            self._stack.members[name].stop()
        # Half an hour from now: a tick of this minute would not be a missed one.
        minute = (self._now().minute + 30) % 60
        ids = {
            policy: self._publish(policy, [f"{minute} * * * *"], missed=policy)[0]
            for policy in ("skip", "latest", "all")
        }
        self._stack.sql(
            "UPDATE schedule_trigger SET next_due_at = now() - %s WHERE id = ANY(%s)",
            timedelta(hours=DOWN_H),
            list(ids.values()),
        )
        self._stack.start("worker1", "worker2", "beat1", "beat2")
        until(lambda: self._ticks(ids["all"])[0] == DOWN_H, "the missed times are looked at")
        time.sleep(5)
        return {
            policy: {"fired": fired, "recorded": recorded}
            for policy, (recorded, fired) in ((p, self._ticks(one)) for p, one in ids.items())
        }

    def at_once(self) -> dict[str, Any]:
        """Let a crowd of schedules be due in the same minute, once; return how soon they begin."""
        self._stack.sql(
            "UPDATE schedule_trigger SET is_active = false, next_due_at = NULL WHERE id = ANY(%s)",
            [*self._steady, *self._edited, *self._toggled],
        )
        ids = self._publish("crowd", ["0 0 1 1 *"] * self._size.crowd)
        at = self._now().replace(second=0, microsecond=0) + 2 * _MINUTE
        self._stack.sql(
            "UPDATE schedule_trigger SET cron = %s, next_due_at = %s WHERE id = ANY(%s)",
            f"{at.minute} {at.hour} * * *",
            at,
            ids,
        )
        time.sleep((at - self._now()).total_seconds())
        until(lambda: self._fired(ids, at, at)["fired"] == len(ids), "all have begun", limit_s=90)
        return {**self._fired(ids, at, at), **self._delays(ids, at, at)}

    def _publish(
        self,
        name: str,
        rules: list[str],
        *,
        per_workflow: int = PER_WORKFLOW,
        missed: str = "latest",
    ) -> list[str]:
        """Publish workflows with these rules as their schedules; return the schedules' ids."""
        step = {
            "id": "note",
            "kind": "action",
            "action_key": "set_fields",
            "cfg": {"fields": [{"path": "due_at", "value": "{{ event.due_at }}"}]},
        }
        for first in range(0, len(rules), per_workflow):
            triggers = [
                {
                    "id": f"t{place}",
                    "trigger_key": "schedule",
                    "cfg": {"cron": rule, "missed": missed},
                }
                for place, rule in enumerate(rules[first : first + per_workflow])
            ]
            body = {
                "name": f"{name} {first}",
                "steps": [step],
                "triggers": triggers,
                "publish": True,
            }
            answer = self._stack.request("POST", "/api/v1/workflows/", body, token=self._token)
            assert answer.status == 201, answer
        rows = self._stack.sql(
            """SELECT s.id FROM schedule_trigger s JOIN workflow_definition w ON w.id = s.workflow_id
                WHERE w.name LIKE %s ORDER BY s.id""",
            f"{name} %",
        )
        assert len(rows) == len(rules), (name, len(rows))
        return [row[0] for row in rows]

    @contextmanager
    def _meddling(self) -> Iterator[None]:
        """Edit and switch schedules at random moments as long as the body runs."""
        is_over = threading.Event()

        def meddle() -> None:
            while not is_over.wait(self._chance.uniform(0.2, 1.5)):
                self._edit(self._chance.choice(self._edited))
                self._switch(self._chance.choice(self._toggled))

        with ThreadPoolExecutor(1) as pool:
            meddling = pool.submit(meddle)
            try:
                yield
            finally:
                is_over.set()
            meddling.result()

    def _edit(self, schedule: str) -> None:
        """Publish the same times in other words."""
        row = self._stack.sql(
            "SELECT id FROM workflow_subscription WHERE source = %s", f"schedule:{schedule}"
        )
        body = {"cfg": {"cron": self._chance.choice(SAME_RULES)}, "publish": True}
        path = f"/api/v1/subscriptions/{row[0][0]}/"
        answer = self._stack.request("PATCH", path, body, token=self._token)
        assert answer.status == 200, answer

    def _switch(self, schedule: str) -> None:
        act = self._chance.choice(("pause", "resume"))
        path = f"/api/v1/schedules/{schedule}/{act}/"
        answer = self._stack.request("POST", path, {}, token=self._token)
        assert answer.status == 200, answer

    def _watch(self, begin: datetime, minutes: int) -> dict[str, Any]:
        """Wait until so many minutes have passed and their runs have begun; return the count."""
        last = begin + (minutes - 1) * _MINUTE
        expected = len(self._steady) * minutes
        time.sleep(max(0.0, (last - self._now()).total_seconds()))
        with_limit = time.monotonic() + SETTLE_S
        while time.monotonic() < with_limit:
            time.sleep(1)
            if self._fired(self._steady, begin, last)["fired"] >= expected:
                break
        # Time for what should not come.
        time.sleep(5)
        everything = [*self._steady, *self._edited, *self._toggled]
        return {
            "minutes": minutes,
            "expected": expected,
            "edited_expected": len(self._edited) * minutes,
            "steady": self._fired(self._steady, begin, last),
            "edited": self._fired(self._edited, begin, last),
            "toggled": self._fired(self._toggled, begin, last),
            "early": self._early(everything, begin, last),
            **self._delays(self._steady, begin, last),
        }

    def _fired(self, ids: list[str], begin: datetime, last: datetime) -> dict[str, int]:
        """Return how many (schedule, tick) have begun, and how many runs there are beyond them."""
        rows = self._runs(
            "count(*), count(DISTINCT (v.data->>'schedule_id', v.data->>'due_at'))",
            ids,
            begin,
            last,
        )
        runs, fired = rows[0]
        return {"fired": fired, "doubled": runs - fired}

    def _early(self, ids: list[str], begin: datetime, last: datetime) -> int:
        due = "(v.data->>'due_at')::timestamptz"
        what = f"count(*) FILTER (WHERE v.received_at < {due} OR e.created_at < {due})"
        return int(self._runs(what, ids, begin, last)[0][0])

    def _delays(self, ids: list[str], begin: datetime, last: datetime) -> dict[str, float]:
        what = "extract(epoch FROM e.started_at - (v.data->>'due_at')::timestamptz) * 1000"
        delays = sorted(float(row[0]) for row in self._runs(what, ids, begin, last))
        return {
            "start_p50_ms": percentile(delays, 0.5),
            "start_p99_ms": percentile(delays, 0.99),
        }

    def _runs(
        self, what: str, ids: list[str], begin: datetime, last: datetime
    ) -> list[tuple[Any, ...]]:
        return self._stack.sql(
            f"""SELECT {what} FROM workflow_execution e
                  JOIN trigger_event v ON v.id = e.trigger_event_id
                 WHERE v.source = ANY(%s) AND e.started_at IS NOT NULL
                   AND (v.data->>'due_at')::timestamptz BETWEEN %s AND %s""",
            [f"schedule:{one}" for one in ids],
            begin,
            last,
        )

    def _older_versions(self) -> int:
        """Return how many runs have a version older than the one live when their event came."""
        rows = self._stack.sql(
            """SELECT count(*) FROM workflow_execution e
                 JOIN trigger_event v ON v.id = e.trigger_event_id
                 JOIN workflow_version mine ON mine.id = e.version_id
                WHERE v.source = ANY(%s) AND EXISTS (
                  SELECT 1 FROM workflow_version newer
                   WHERE newer.workflow_id = mine.workflow_id AND newer.version_num > mine.version_num
                     AND newer.published_at < v.received_at - interval '1 second')""",
            [f"schedule:{one}" for one in self._edited],
        )
        return int(rows[0][0])

    def _ticks(self, schedule: str) -> tuple[int, int]:
        rows = self._stack.sql(
            "SELECT count(*), count(event_id) FROM schedule_tick WHERE schedule_id = %s", schedule
        )
        return rows[0][0], rows[0][1]

    def _next_minute(self) -> datetime:
        return self._now().replace(second=0, microsecond=0) + _MINUTE

    def _now(self) -> datetime:
        moment: datetime = self._stack.sql("SELECT clock_timestamp()")[0][0]
        return moment.astimezone(UTC)


def _wrong_clocks(directory: Path) -> str:
    """Return a folder that, on Python's path, sets a process's clock wrong from its start on."""
    folder = directory / "wrong-clocks"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import os\n"
        "from datetime import UTC, datetime, timedelta\n"
        "import time_machine\n"
        "hours = float(os.environ['LEADSEND_TRUST_CLOCK_H'])\n"
        "time_machine.travel(datetime.now(UTC) + timedelta(hours=hours), tick=True).start()\n"
    )
    return str(folder)
