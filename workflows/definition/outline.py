"""A document as numbered sentences: what starts it, and its steps with their branches."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from registry.sdk.catalog_view import CatalogView
from registry.sdk.sentences import humanised, render_sentence, words_of
from workflows.definition.expressions import sentences
from workflows.definition.graph import Graph
from workflows.definition.loop_words import body_label, loop_sentence
from workflows.definition.waiting_words import waiting_sentence

_ROOTS = re.compile(r"\b(?:event|request|steps|vars|item|run|workflow)(?:\.\w+)+")
_BRANCHES: Mapping[str, str] = {
    "default": "",
    "yes": "Yes",
    "no": "No",
    "error": "If this fails",
    "else": "Otherwise",
    "timeout": "If nothing comes",
    "approved": "Approved",
    "rejected": "Rejected",
}
_POLICIES: Mapping[str, str] = {
    "queue": "the others wait their turn",
    "drop_new": "what comes meanwhile is left out",
    "cancel_old": "a newer one cancels the older",
    "coalesce": "of those that wait, the newest stays",
}
_WEEKDAYS: Mapping[str, str] = {
    "mon": "Monday",
    "tue": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
    "sun": "Sunday",
}
_ICONS: Mapping[str, str] = {
    "condition": "git-branch",
    "switch": "git-fork",
    "delay": "hourglass",
    "loop": "repeat",
    "end": "circle-stop",
    "wait": "hourglass",
    "approval": "list-checks",
    "workflow": "workflow",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineStep:
    """One step in words. ``icon`` is a lucide name; ``title`` is "" where the user gave none."""

    id: str
    number: int
    icon: str
    title: str
    sentence: str
    branches: tuple[OutlineBranch, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineBranch:
    """One way on from a step; ``label`` is "" for the only way on."""

    label: str
    steps: tuple[OutlineStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """``triggers`` are sentences; ``steps`` are numbered from 1, in the order they are read.

    ``rules`` say when runs are held back, and are empty for most workflows.
    """

    triggers: tuple[str, ...]
    steps: tuple[OutlineStep, ...]
    rules: tuple[str, ...] = ()

    def by_id(self) -> dict[str, OutlineStep]:
        """Return all steps, those in branches too, by id."""
        found: dict[str, OutlineStep] = {}
        pending = list(self.steps)
        while pending:
            step = pending.pop()
            found[step.id] = step
            pending.extend(inner for branch in step.branches for inner in branch.steps)
        return found


def outline(document: Mapping[str, Any], *, catalog: CatalogView) -> Outline:
    """Return a document in full form as sentences, however unfinished it is."""
    return Outline(
        triggers=tuple(
            trigger_sentence(trigger, catalog=catalog) for trigger in document.get("triggers", ())
        ),
        steps=_Walk(graph=Graph.of(document), catalog=catalog).all_steps(),
        rules=flow_sentences(_mapping(document.get("settings"))),
    )


def summary(document: Mapping[str, Any], *, catalog: CatalogView, most: int = 3) -> str:
    """Return a document in one line: what starts it and its first steps."""
    found = outline(document, catalog=catalog)
    start = " or ".join(found.triggers) or "Nothing starts it yet"
    steps = sorted(found.by_id().values(), key=lambda step: step.number)
    said = [step.title or step.sentence for step in steps[:most]]
    if len(steps) > most:
        said.append("…")
    return " → ".join([start, " · ".join(said)]) if said else start


def trigger_sentence(trigger: Mapping[str, Any], *, catalog: CatalogView) -> str:
    """Return what starts a workflow, with its filter, in words."""
    kind = catalog.trigger_type(str(trigger.get("trigger_key", "")))
    if kind is None:
        return "When something happens that is not known here"
    cfg = _mapping(trigger.get("cfg"))
    said = render_sentence(kind.sentence, {**kind.preset_cfg, **cfg}, kind.config_schema)
    conditions = _mapping(trigger.get("filter_conditions"))
    return f"{said}, if {condition_sentence(conditions)}" if conditions else said


def step_sentence(step: Mapping[str, Any], *, catalog: CatalogView) -> str:
    """Return what one step does, in words."""
    cfg = _mapping(step.get("cfg"))
    match step.get("kind"):
        case "action":
            return _action_sentence(str(step.get("action_key", "")), cfg, catalog)
        case "condition":
            return f"If {condition_sentence(cfg)}"
        case "switch":
            return "Takes one of several ways"
        case "delay":
            return _wait_sentence(cfg)
        case "wait" | "approval" | "workflow":
            return waiting_sentence(step, catalog=catalog)
        case "loop":
            return loop_sentence(cfg, until=condition_sentence(_mapping(cfg.get("until"))))
        case "end":
            return "Stops here" if cfg.get("status") != "failed" else "Stops here as failed"
        case other:
            return humanised(str(other or "step"))


def flow_sentences(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return in words when the settings hold runs back, or let them go first."""
    said = []
    concurrency, debounce = (
        _mapping(settings.get("concurrency")),
        _mapping(settings.get("debounce")),
    )
    if concurrency:
        most = concurrency.get("limit", 1)
        then = _POLICIES.get(str(concurrency.get("policy", "queue")), "")
        said.append(f"{most} at a time for {_key_words(concurrency)}; {then}")
    if debounce:
        span = words_of(debounce.get("for"), {})
        said.append(f"Starts {span} after the last event for {_key_words(debounce)}")
    if priority := settings.get("priority", 0):
        said.append(f"Priority {priority}: lower goes first")
    return tuple(said)


def _key_words(rule: Mapping[str, Any]) -> str:
    key = str(rule.get("key", ""))
    return without_paths(key.strip("{} ")) if key.startswith("{{") else f"“{key}”"


def condition_sentence(condition: Mapping[str, Any]) -> str:
    """Return a condition in words that name fields, not paths."""
    if "cel" in condition:
        return "a calculated condition holds"
    return without_paths(sentences.sentence(condition))


def without_paths(text: str) -> str:
    """Return a sentence with its paths in words: ``event.score (80)`` reads "Score (80)"."""
    return _ROOTS.sub(lambda match: humanised(match.group()), text)


def branch_label(step: Mapping[str, Any], branch: str) -> str:
    """Return a branch's name in words, "" for the usual way on."""
    cfg = _mapping(step.get("cfg"))
    for case in (*_list(cfg.get("cases")), *_list(cfg.get("answers"))):
        if isinstance(case, Mapping) and case.get("key") == branch:
            return str(case.get("label") or case.get("title") or humanised(branch))
    return _BRANCHES.get(branch, humanised(branch))


def _action_sentence(key: str, cfg: Mapping[str, Any], catalog: CatalogView) -> str:
    action = catalog.action(key)
    if action is None:
        return "Does something that is not known here"
    said = render_sentence(action.sentence, cfg, action.config_schema)
    return said[:1].upper() + said[1:]


def _wait_sentence(cfg: Mapping[str, Any]) -> str:
    if "business" in cfg:
        span = words_of(_mapping(cfg["business"]).get("for"), {})
        return f"Waits {span} of business time"
    if cfg.get("next") == "weekday":
        days = ", ".join(_WEEKDAYS.get(day, str(day)) for day in cfg.get("weekdays", ()))
        return f"Waits until the next {days or 'working day'} at {cfg.get('at', '09:00')}"
    if "next" in cfg:
        return "Waits until business hours"
    if "for" in cfg:
        return f"Waits {words_of(cfg['for'], {})}"
    return f"Waits until {words_of(cfg.get('until'), {}) or 'a moment not chosen yet'}"


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


@dataclass(slots=True, kw_only=True)
class _Walk:
    """Reads a graph once. A step where branches meet is told after all of them."""

    graph: Graph
    catalog: CatalogView
    numbers: dict[str, int] = field(default_factory=dict)

    def all_steps(self) -> tuple[OutlineStep, ...]:
        found = self._told(self.graph.starts())
        for step in self.graph.steps:  # what no start leads to
            found += self._told((step,))
        return found

    def _told(self, starts: tuple[str, ...]) -> tuple[OutlineStep, ...]:
        told: list[OutlineStep] = []
        first = len(self.numbers) + 1
        pending = list(starts)
        while pending:
            step = pending.pop(0)
            if step not in self.numbers:
                told.append(self._step(step))
                pending = [*self._next(first), *pending]
        return tuple(told)

    def _step(self, step: str) -> OutlineStep:
        self.numbers[step] = len(self.numbers) + 1
        data = self.graph.steps[step]
        number = self.numbers[step]
        return OutlineStep(
            id=step,
            number=number,
            icon=self._icon(data),
            title=str(data.get("title") or ""),
            sentence=step_sentence(data, catalog=self.catalog),
            branches=self._branches(step),
        )

    def _branches(self, step: str) -> tuple[OutlineBranch, ...]:
        ways = self.graph.branches(step)
        found = [*self._body(step), *self._undo(step)]
        if len(ways.get("default", ())) == 1 and len(ways) == 1:
            return tuple(found)
        for key, targets in ways.items():
            own = tuple(target for target in targets if len(self.graph.incoming[target]) == 1)
            for start in [(target,) for target in own] if key == "default" else [own]:
                steps = self._told(start)
                if steps:
                    label = branch_label(self.graph.steps[step], key)
                    found.append(OutlineBranch(label=label, steps=steps))
        return tuple(found)

    def _body(self, step: str) -> list[OutlineBranch]:
        """Return the steps inside a loop."""
        data = self.graph.steps[step]
        if data.get("kind") != "loop":
            return []
        told = self._told(self.graph.starts(step))
        return [OutlineBranch(label=body_label(_mapping(data.get("cfg"))), steps=told)]

    def _undo(self, step: str) -> list[OutlineBranch]:
        """Return the step that undoes this one, told where it belongs."""
        undo = self.graph.steps[step].get("undo")
        if not isinstance(undo, str) or self.graph.undoes.get(undo) != step:
            return []
        told = self._told((undo,))
        return [OutlineBranch(label="If the run fails later", steps=told)] if told else []

    def _next(self, first: int) -> tuple[str, ...]:
        """Return the steps to which only steps of this block lead; ``first`` is its first number.

        So where branches meet is told after all of them, on the level they started from.
        """
        return tuple(
            target
            for target in self.graph.order
            if target not in self.numbers
            and (sources := self.graph.predecessors(target))
            and all(self.numbers.get(source, 0) >= first for source in sources)
        )

    def _icon(self, step: Mapping[str, Any]) -> str:
        if step.get("kind") == "action":
            action = self.catalog.action(str(step.get("action_key", "")))
            return action.icon if action else "circle-question-mark"
        return _ICONS.get(str(step.get("kind")), "circle-question-mark")
