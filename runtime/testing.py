"""Plays a workflow in memory with pretended answers: no database, no network, no waiting.

For authors of workflows and of actions::

    played = run(document, {"email": "ada@example.com", "score": 60})

    assert played.status == "SUCCESS"
    assert played.path == ("hot", "welcome")
    assert played.effects[0].inputs["to"] == "ada@example.com"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from leadsend.lib.errors import LeadSendError
from registry.catalog import catalog as installed_catalog
from registry.sdk.action import Action, Apply
from registry.sdk.catalog_view import CatalogView
from runtime.engine.advance import advance, answer
from runtime.engine.commands import ApplyWrite, CallEffect, Finish
from runtime.engine.plan import Plan, compile_plan
from runtime.engine.state import RunInfo, RunState, StepRecord
from runtime.played_answers import Happening, next_answer, output_of_write
from workflows.definition.shorthand import expand

START: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_RUN_ID = UUID("01890000-0000-7000-8000-000000000001")
_MOST_PASSES = 100_000

Answers = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One call of an action that touches the world, or (with ``apply``) one write of our own.

    ``item`` is the path of the item in a loop, "3" or "3.0".
    """

    step_id: str
    action_key: str
    attempt: int
    inputs: Mapping[str, Any]
    idempotency_key: UUID | None = None
    apply: Apply | None = None
    item: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """How a run went.

    ``status`` is a final status, or WAITING where a person has to decide about an UNCERTAIN step, or
    a step waits for what was not given.
    ``path`` names the steps that ran, in the order in which they ended; ``effects`` are in the
    order of their calls, retries included. ``steps`` holds the latest record of each step, skipped
    ones too. ``ended_at`` is the virtual moment of the end: delays and retries take no time.
    """

    status: str
    output: Any
    error: Mapping[str, Any] | None
    path: tuple[str, ...]
    effects: tuple[Effect, ...]
    steps: Mapping[str, StepRecord]
    records: tuple[StepRecord, ...]
    ended_at: datetime


def run(
    document: Any,
    event: Any,
    *,
    answers: Answers | None = None,
    events: Sequence[Happening] = (),
    request: Any = None,
    variables: Mapping[str, Any] | None = None,
    contact: Mapping[str, str] | None = None,
    now: datetime = START,
    catalog: CatalogView | None = None,
) -> Played:
    """Play a document, in full form or shorthand, with one event.

    ``answers`` gives, by step id or action key, what an action answers: its output; an error to
    raise; a function from inputs to output; or a tuple of these, one an attempt, of which the last
    one repeats. Actions without one answer with their ``pretend``. A step that waits is answered at
    once by what stands under its id, or when a ``Later`` says so (``played_answers``): the event,
    the reply, an approval's answer, the output of the called workflow or its error. ``events`` come
    at their moments and answer the waits that they are meant for; nothing else ends a wait but its
    time limit. ``contact`` is taken from the
    event by the first trigger's contact paths unless given.
    Raises InvalidInput or ConfigurationError when the document cannot be run at all.
    """
    known = catalog or installed_catalog()
    full = expand(document)
    info = RunInfo(
        execution_id=_RUN_ID,
        workflow_id=_RUN_ID,
        project_id=_RUN_ID,
        workflow_name=full.get("name", ""),
        run_url="https://leadsend.example/runs/1/",
        started_at=now,
        event=event,
        request=request,
        variables=variables or {},
        contact=_contact(full, event, known) if contact is None else contact,
    )
    player = _Player(
        plan=compile_plan(full, known),
        state=RunState(run=info),
        answers=answers or {},
        events=sorted(((now + one.after, one) for one in events), key=lambda pair: pair[0]),
        now=now,
    )
    return player.play()


@dataclass(slots=True, kw_only=True)
class _Player:
    """One run on its way; its clock stands still but for delays and retries."""

    plan: Plan
    state: RunState
    answers: Answers
    events: Sequence[tuple[datetime, Happening]]
    now: datetime
    records: list[StepRecord] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)

    def play(self) -> Played:
        for _ in range(_MOST_PASSES):
            progress = advance(self.plan, self.state, now=self.now, clock=lambda: self.now)
            self.records += progress.records
            commands: list[CallEffect | ApplyWrite] = [*progress.calls, *progress.applies]
            for command in commands:
                self.reply(command)
            if progress.finish:
                return self.played(progress.finish)
            if not commands and not progress.has_more and not self.wait(progress.due_at):
                return self.played(None)
        raise AssertionError(f"The run did not end within {_MOST_PASSES} passes.")

    def wait(self, due_at: datetime | None) -> bool:
        """Go to the moment at which something comes or is due; False when nothing ever does."""
        coming = next_answer(self.state.latest, self.answers, self.events)
        if coming is not None and (due_at is None or coming.at <= due_at):
            self.now = max(self.now, coming.at)
            self.state.answers[coming.key] = coming.answer
            return True
        if due_at is not None:
            self.now = due_at
        return due_at is not None

    def reply(self, command: CallEffect | ApplyWrite) -> None:
        self.effects.append(_effect(command))
        output, error = self.pretend(command)
        record = answer(
            self.plan,
            self.state,
            command,
            output=output,
            error=error,
            started_at=self.now,
            ended_at=self.now,
            now=self.now,
            random=lambda: 1.0,
        )
        self.state.fold([record])
        self.records.append(record)

    def pretend(self, command: CallEffect | ApplyWrite) -> tuple[Any, LeadSendError | None]:
        step = self.plan.by_id[command.step_id]
        if step.wait is not None:
            return output_of_write(step.id, step.kind), None
        call = step.call
        given = self.given(command, call.action if call else None)
        if isinstance(given, LeadSendError):
            return None, given
        if not callable(given):
            return given, None
        try:
            return given(command.inputs), None
        except LeadSendError as error:
            return None, error

    def given(self, command: CallEffect | ApplyWrite, action: Action | None) -> Any:
        fallback: Callable[[Mapping[str, Any]], Any] | None = action.pretend if action else None
        by_action = self.answers.get(command.action_key, fallback)
        given = self.answers.get(command.step_id, by_action)
        if isinstance(given, tuple):
            return given[min(command.attempt, len(given)) - 1]
        return given

    def played(self, finish: Finish | None) -> Played:
        ended = [r for r in self.records if r.status in ("SUCCESS", "FAILED") and not r.due_at]
        return Played(
            status=finish.status if finish else "WAITING",
            output=finish.output if finish else None,
            error=finish.error if finish else None,
            path=tuple(dict.fromkeys(record.step_id for record in ended)),
            effects=tuple(self.effects),
            steps=self.steps(),
            records=tuple(self.records),
            ended_at=self.now,
        )

    def steps(self) -> dict[str, StepRecord]:
        """Return the latest record of each step; of those in loops that of their last item."""
        inside = {r.step_id: r for r in self.records if r.item is not None}
        outside = {r.step_id: r for r in self.state.latest.values() if r.item is None}
        return inside | outside


def _effect(command: CallEffect | ApplyWrite) -> Effect:
    return Effect(
        step_id=command.step_id,
        action_key=command.action_key,
        attempt=command.attempt,
        inputs=command.inputs,
        idempotency_key=command.idempotency_key,
        item=command.item,
        apply=command.apply if isinstance(command, ApplyWrite) else None,
    )


def _contact(document: Mapping[str, Any], event: Any, catalog: CatalogView) -> dict[str, str]:
    triggers = document.get("triggers") or ()
    kind = catalog.trigger_type(triggers[0]["trigger_key"]) if triggers else None
    paths = kind.contact if kind else {"email": "event.email", "name": "event.name"}
    return {name: _text_at({"event": event}, path) for name, path in paths.items()}


def _text_at(value: Any, path: str) -> str:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else ""
