"""``kill -9`` at every boundary of the effect protocol, for every delivery class."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from leadsend.testing.stack import Stack, running_stack, until
from leadsend.trust import flows, history
from leadsend.trust.announcing import announce_actions
from leadsend.trust.crash import demo_values
from leadsend.trust.flows import Flow
from leadsend.trust.senders import OK, post_signed
from leadsend.trust.sink import Sink, running_sink
from leadsend.trust.verdict import Gate, result_of, zero

# The order in which an execution passes them; told by the process that dies there.
BOUNDARIES = (
    "inside_take",
    "after_take",
    "after_dispatch",
    "inside_claim",
    "after_claim",
    "inside_intent",
    "after_intent",
    "before_effect",
    "after_effect",
    "after_answer",
    "inside_record",
    "after_record",
)
# A write of our own is made inside the recording commit: it has no intent and no effect.
NO_EFFECT = frozenset(
    {"inside_intent", "after_intent", "before_effect", "after_effect", "after_answer"}
)
# Here the intent is committed and no answer is: what must not be repeated is a question.
IN_DOUBT = frozenset(
    {"after_intent", "before_effect", "after_effect", "after_answer", "inside_record"}
)
ACTIONS = {
    "transactional": "task_create",
    "idempotent_key": "http_request",
    "natural_idempotent": "trust_same",
    "at_most_once": "trust_once",
    "at_least_once": "trust_again",
}
FULL_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A delivery class and the boundary at which its process dies."""

    delivery: str
    boundary: str

    def __str__(self) -> str:
        return f"{self.delivery} {self.boundary}"


CASES = tuple(
    Case(delivery=delivery, boundary=boundary)
    for delivery in ACTIONS
    for boundary in BOUNDARIES
    if delivery != "transactional" or boundary not in NO_EFFECT
)


class Killing:
    """A stack without workers, the forks that die in it, and what is left afterwards."""

    def __init__(self, stack: Stack, sink: Sink) -> None:
        self._stack, self._sink = stack, sink
        self._token = demo_values(stack)["API_TOKEN"]
        stack.start("web1")
        self._flows = {name: self._publish(name) for name in ACTIONS}
        self._number = 0
        # The child has its own copy of the handle: ours can be closed at once.
        with (stack.directory / "doomed.log").open("ab") as log:
            self._doomed = subprocess.Popen(
                [sys.executable, "-m", "leadsend.trust.doomed_engine"],
                env=stack.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def close(self) -> None:
        """End the process that forks."""
        assert self._doomed.stdin is not None
        assert self._doomed.stdout is not None
        self._doomed.stdin.close()
        self._doomed.wait(timeout=30)
        self._doomed.stdout.close()

    def play(self, case: Case) -> list[str]:
        """Let one execution's process die at the boundary; return what is wrong afterwards."""
        flow = self._flows[case.delivery]
        lead = f"{case.delivery}-{self._number}"
        self._number += 1
        self._send(flow, lead)
        doomed = str(uuid4())
        wrong = []
        if self._order(boundary=case.boundary, worker=doomed) != 9:
            wrong.append("nobody died")
        if self._order(worker=str(uuid4()), free=doomed) != 0:
            wrong.append("the next engine failed")
        questions = self._settle(flow)
        expected = int(case.delivery == "at_most_once" and case.boundary in IN_DOUBT)
        if questions != expected:
            wrong.append(f"{questions} open questions instead of {expected}")
        return wrong + self._wrong_with(flow, case, lead)

    def _wrong_with(self, flow: Flow, case: Case, lead: str) -> list[str]:
        status, crashes = self._execution(flow, lead)
        keys = self._sink.keys_of(case.delivery).get(lead, set())
        hits = sum(self._sink.hits_of(case.delivery)[key] for key in keys)
        done = self._tasks(lead) if case.delivery == "transactional" else len(keys)
        most_hits = {"transactional": 0, "at_most_once": 1}.get(case.delivery, 2)
        found = {
            f"ended as {status}": status != "SUCCESS",
            f"{done} effects": done != 1,
            f"{hits} arrivals": hits > most_hits,
            f"{crashes} crashes counted": crashes > 1,
            "rows twice": history.rows_twice(self._stack) > 0,
            "a final state was changed": history.overwritten(self._stack) > 0,
        }
        return [what for what, is_wrong in found.items() if is_wrong]

    def _settle(self, flow: Flow) -> int:
        """Answer as a person who looks at the sink; return how many questions there were."""
        asked = history.uncertain(self._stack, flow.workflow_id)
        for execution_id, step_id, lead, _ in asked:
            happened = lead in self._sink.keys_of("at_most_once")
            answer = self._stack.request(
                "POST",
                f"/api/v1/executions/{execution_id}/decide/",
                {
                    "step_id": step_id,
                    "decision": "done" if happened else "run_again",
                    "reason": "The sink was asked.",
                },
                token=self._token,
            )
            assert answer.status == 200, answer
        if asked:
            self._order(worker=str(uuid4()))
        return len(asked)

    def _order(self, *, worker: str, boundary: str | None = None, free: str | None = None) -> int:
        assert self._doomed.stdin is not None
        assert self._doomed.stdout is not None
        order = {"boundary": boundary, "worker": worker, "free": free}
        self._doomed.stdin.write(json.dumps(order) + "\n")
        self._doomed.stdin.flush()
        return int(json.loads(self._doomed.stdout.readline())["signal"])

    def _send(self, flow: Flow, lead: str) -> None:
        url, body = f"{self._stack.url}{flow.path}", {"lead": lead}
        until(lambda: post_signed(url, flow.secret, lead, body) in OK, "the event is accepted")

    def _execution(self, flow: Flow, lead: str) -> tuple[str, int]:
        rows = self._stack.sql(
            "SELECT status, crash_count FROM workflow_execution WHERE workflow_id = %s"
            " AND context_data->>'lead' = %s",
            flow.workflow_id,
            lead,
        )
        return rows[0] if len(rows) == 1 else (f"{len(rows)} executions", 0)

    def _tasks(self, lead: str) -> int:
        rows = self._stack.sql("SELECT count(*) FROM tasks WHERE title = %s", lead)
        return int(rows[0][0])

    def _publish(self, delivery: str) -> Flow:
        lead, url = "{{ event.lead }}", self._sink.url(delivery)
        cfg: dict[str, Any] = {"url": url, "lead": lead}
        if delivery == "transactional":
            cfg = {"title": lead}
        elif delivery == "idempotent_key":
            cfg = {"method": "POST", "url": url, "headers": {"X-Lead": lead}}
        return flows.publish_chain(self._stack, self._token, delivery, ACTIONS[delivery], cfg)


@contextmanager
def killing() -> Iterator[Killing]:
    """Start all that is needed, with the history watched; leave nothing behind."""
    directory = Path(tempfile.mkdtemp(prefix="leadsend-boundaries-"))
    with running_sink() as sink:
        settings = {
            "LEADSEND_EGRESS_ALLOW": f"127.0.0.1:{sink.port}",
            **announce_actions(directory),
        }
        with running_stack(directory, settings=settings) as stack:
            one = Killing(stack, sink)
            history.install_shadow(stack)
            try:
                yield one
            finally:
                one.close()


def run(*, rounds: int) -> dict[str, Any]:
    """Play every case so many times; return figures, gates and ``passed``."""
    wrong: Counter[str] = Counter()
    with killing() as stage:
        for _ in range(rounds):
            for case in CASES:
                wrong.update(f"{case}: {what}" for what in stage.play(case))
    played = rounds * len(CASES)
    figures = {"cases": len(CASES), "kills": played, "wrong": dict(wrong)}
    gates = [
        zero("cases that went wrong", sum(wrong.values())),
        Gate(name="processes killed", value=played, must=len(CASES) * rounds),
    ]
    return result_of(figures, gates)
