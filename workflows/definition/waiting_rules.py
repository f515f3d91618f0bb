"""What can be wrong with the steps that wait to be answered, and what they put out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from leadsend.lib.errors import Problem
from registry.sdk.catalog_view import CatalogView
from workflows.definition import durations, form, pointer
from workflows.definition.suggestions import nearest

Schema = Mapping[str, Any]

DEFAULT_ANSWERS: Final = ("approved", "rejected")
_TAKEN: Final = frozenset({"timeout", "error", "default"})
# What an event cannot be asked for: only the run that waits has these.
_OWN_ROOT: Final = re.compile(r"\b(?:steps|vars|run|item|index|workflow)\b\s*[.\[]")
_TEXT: Final[Schema] = {"type": "string"}
_FIELD_SCHEMAS: Final[Mapping[str, Schema]] = {
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
}


def answer_keys(step: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the answers that can be given to an approval: its branches but ``timeout``."""
    given = _mapping(step.get("cfg")).get("answers")
    if not isinstance(given, list):
        return DEFAULT_ANSWERS
    keys = [_mapping(answer).get("key") for answer in given]
    return tuple(key for key in keys if isinstance(key, str))


def check_waiting(
    step: Mapping[str, Any], *, path: str, step_id: str | None, catalog: CatalogView
) -> Iterator[Problem]:
    """Yield what is wrong with the settings of a wait or approval beyond their form."""
    cfg = _mapping(step.get("cfg"))
    findings = _approval(cfg) if step.get("kind") == "approval" else _wait(cfg, catalog)
    for code, where, message in (*findings, *_timeout(cfg.get("timeout"))):
        at = pointer.join(path, *where)
        yield Problem(code=code, message=message, path=at, step_id=step_id)


def match_of(cfg: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the setting that is looked up in each event that comes, and its name."""
    return ("match", cfg["match"]) if cfg.get("match") else ("key", cfg.get("key"))


def output_of(step: Mapping[str, Any], event: Schema) -> Schema:
    """Return the schema of what a wait, approval or workflow step puts out.

    ``event`` is the schema of the events that a wait is for.
    """
    kind, cfg = step.get("kind"), _mapping(step.get("cfg"))
    late = {"timed_out": {"type": "boolean"}}
    if kind == "workflow":
        return _object({"execution_id": _TEXT, "output": {}})
    if kind == "approval":
        return _object({**_task_answer(cfg.get("fields")), "answer": _TEXT}, late)
    if cfg.get("for") == "reply":
        return _object({"reply": {}}, late)
    if cfg.get("for") == "answer":
        return _object(_task_answer(None), late)
    return _object({"event": event, "event_id": _TEXT, "received_at": _TEXT}, late)


Finding = tuple[str, tuple[str | int, ...], str]


def _wait(cfg: Mapping[str, Any], catalog: CatalogView) -> Iterator[Finding]:
    what = cfg.get("for")
    if what == "event":
        yield from _event(cfg, catalog)
        return
    if what not in ("reply", "answer"):
        return  # told by its form
    if not cfg.get("step") and not cfg.get("key"):
        made = "sent the mail" if what == "reply" else "made the task"
        yield "missing", ("step",), f"Say which step {made}: its id, as “step”."
    for name in ("trigger_key", "source", "match"):
        if name in cfg:
            yield "unknown_key", (name,), f"“{name}” is only for waits for an event: remove it."


def _event(cfg: Mapping[str, Any], catalog: CatalogView) -> Iterator[Finding]:
    trigger_key = cfg.get("trigger_key")
    if not trigger_key and not cfg.get("source"):
        yield "missing", ("trigger_key",), "Say which trigger the event is of, as “trigger_key”."
    if isinstance(trigger_key, str) and trigger_key and catalog.trigger_type(trigger_key) is None:
        near = nearest(trigger_key, catalog.trigger_keys())
        yield "unknown_trigger", ("trigger_key",), f"There is no trigger “{trigger_key}”.{near}"
    if "step" in cfg:
        yield "unknown_key", ("step",), "“step” is for waits for a reply or an answer: remove it."
    if cfg.get("match") and not cfg.get("key"):
        yield "missing", ("key",), "Say what the event's field is compared with, as “key”."
    name, value = match_of(cfg)
    if not form.has_hole(value):
        if value:
            message = "Say which field of the event is compared, as “match”: {{ event.email }}."
            yield "missing", ("match",), message
    elif _OWN_ROOT.search(str(value)):
        message = (
            "This is looked up in the event that comes, which knows only event, request and now: "
            "say as “match” which of its fields is compared, like {{ event.email }}."
        )
        yield "match_unknown", (name,), message


def _approval(cfg: Mapping[str, Any]) -> Iterator[Finding]:
    for part, taken in (("answers", _TAKEN), ("fields", frozenset())):
        seen: set[str] = set()
        items = cfg.get(part)
        for index, item in enumerate(items if isinstance(items, list) else ()):
            key = _mapping(item).get("key")
            if not isinstance(key, str):
                continue
            if key in seen or key in taken:
                message = f"“{key}” is taken already: choose another key."
                yield "duplicate_id", (part, index, "key"), message
            seen.add(key)
            if _mapping(item).get("type") == "choice" and not _mapping(item).get("options"):
                yield "missing", (part, index, "options"), "Say what can be chosen, as “options”."


def _timeout(value: Any) -> Iterator[Finding]:
    if not isinstance(value, Mapping):
        return
    has_span = "value" in value and "unit" in value
    if has_span == ("until" in value):
        message = "Say how long, as “value” and “unit”, or until when, as “until”: one of the two."
        yield "form", ("timeout",), message
        return
    until, number = value.get("until"), value.get("value")
    if isinstance(until, str) and not form.has_hole(until) and not _is_moment(until):
        message = "Until when is a date like 2027-01-31T09:00, or an expression."
        yield "form", ("timeout", "until"), message
    if isinstance(number, str) and not form.has_hole(number):
        message = "How long is a number, or an expression like {{ vars.days }}."
        yield "form", ("timeout", "value"), message
    elif has_span and _is_too_long(value):
        yield "form", ("timeout",), "A wait lasts at most a year: make it shorter."


def _task_answer(fields: Any) -> dict[str, Schema]:
    found = {}
    for item in fields if isinstance(fields, list) else ():
        field = _mapping(item)
        if isinstance(field.get("key"), str):
            found[field["key"]] = _FIELD_SCHEMAS.get(str(field.get("type")), _TEXT)
    form_schema: Schema = (
        {"type": "object", "properties": found, "additionalProperties": False}
        if isinstance(fields, list)
        else {"type": "object"}
    )
    return {"answer": {}, "comment": _TEXT, "fields": form_schema, "by": {}, "task_id": _TEXT}


def _object(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def _is_too_long(span: Mapping[str, Any]) -> bool:
    try:
        return durations.span(span) > durations.LONGEST_WAIT
    except ValueError:
        return False  # its form is told by the schema, the value of a hole by the run


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
