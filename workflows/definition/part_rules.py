"""What can be wrong with steps, triggers, variables and settings, each by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from leadsend.lib.errors import Problem, Severity
from registry.sdk.catalog_view import CatalogView
from workflows.definition import durations, form, pointer, schema, slugs
from workflows.definition.called_input import check_input
from workflows.definition.condition_form import check_condition_form
from workflows.definition.delay_rules import check_delay_form
from workflows.definition.flow_rules import check_flow
from workflows.definition.loop_rules import check_loop
from workflows.definition.suggestions import nearest
from workflows.definition.waiting_rules import check_waiting
from workflows.definition.words import label_of


def check_steps(document: Mapping[str, Any], catalog: CatalogView) -> Iterator[Problem]:
    """Yield what is wrong with steps: kind, fields, and the settings of each kind."""
    steps = document["steps"]
    if not steps:
        message = "The workflow has no steps yet: add what it should do."
        yield Problem(code="no_steps", message=message, path="/steps")
    yield from _check_names(steps, "steps", "id", "step")
    for index, step in enumerate(steps):
        path = pointer.join("", "steps", index)
        step_id = step["id"] if isinstance(step.get("id"), str) else None
        if isinstance(step.get("kind"), str) and step["kind"] in schema.KINDS:
            yield from form.check_step(step, path=path, step_id=step_id or "")
            yield from _check_kind(step, path, step_id, catalog)
        else:
            yield _unknown_kind(step, path, step_id)


def check_triggers(document: Mapping[str, Any], catalog: CatalogView) -> Iterator[Problem]:
    """Yield what is wrong with triggers: unknown ones, their settings, their filters."""
    triggers = document["triggers"]
    if not triggers:
        message = "Nothing starts this workflow by itself: add a trigger, or start it by hand."
        yield Problem(
            code="no_trigger", message=message, path="/triggers", severity=Severity.WARNING
        )
    yield from _check_names(triggers, "triggers", "id", "trigger")
    for index, trigger in enumerate(triggers):
        path = pointer.join("", "triggers", index)
        yield from form.check_part("triggers", trigger, path=path)
        yield from check_condition_form(
            trigger["filter_conditions"], path=pointer.join(path, "filter_conditions")
        )
        if isinstance(trigger.get("trigger_key"), str):
            yield from _check_trigger_type(trigger, path, catalog)


def check_variables(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with variables: keys, types, and secrets with an open value."""
    yield from _check_names(document["variables"], "variables", "key", "variable")
    for index, variable in enumerate(document["variables"]):
        path = pointer.join("", "variables", index)
        yield from form.check_part("variables", variable, path=path)
        value = variable.get("value")
        if variable.get("secret") is True and value is not None:
            message = "A secret value is never part of the document: take it out and set it apart."
            where = pointer.join(path, "value")
            yield Problem(code="secret_with_value", message=message, path=where)
        elif value is not None and not _fits(value, variable.get("type")):
            message = f"The value is no {variable.get('type')}: change it or the type."
            yield Problem(code="wrong_type", message=message, path=pointer.join(path, "value"))


def check_settings(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with the settings beyond their form."""
    settings = document["settings"]
    zone = settings.get("timezone") if isinstance(settings, Mapping) else None
    if isinstance(zone, str) and zone and zone not in _timezones():
        near = nearest(zone, _timezones()) or " Write it like Europe/Berlin."
        message = f"There is no time zone “{zone}”.{near}"
        yield Problem(code="unknown_timezone", message=message, path="/settings/timezone")
    if isinstance(settings, Mapping):
        yield from check_flow(settings)
    yield from check_input(document)


def _check_names(
    items: Iterable[Mapping[str, Any]], part: str, field: str, noun: str
) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, item in enumerate(items):
        name = item.get(field)
        path = pointer.join("", part, index, field)
        if not isinstance(name, str):
            continue
        step_id = name if part == "steps" else None
        if name in seen:
            message = f"There are two {noun}s “{name}”: give one of them another {field}."
            yield Problem(code="duplicate_id", message=message, path=path, step_id=step_id)
        elif name in slugs.RESERVED:
            message = f"“{name}” is a word of the expression language: choose another {field}."
            yield Problem(code="reserved_id", message=message, path=path, step_id=step_id)
        seen.add(name)


def _unknown_kind(step: Mapping[str, Any], path: str, step_id: str | None) -> Problem:
    where = pointer.join(path, "kind")
    kind = step.get("kind")
    if kind is None:
        message = f"Say what kind of step this is: {', '.join(schema.KINDS)}."
        return Problem(code="missing", message=message, path=where, step_id=step_id)
    near = nearest(kind, schema.KINDS) if isinstance(kind, str) else ""
    message = f"There is no kind of step {kind!r}; there are {', '.join(schema.KINDS)}.{near}"
    return Problem(code="unknown_kind", message=message, path=where, step_id=step_id)


def _check_kind(
    step: Mapping[str, Any], path: str, step_id: str | None, catalog: CatalogView
) -> Iterator[Problem]:
    kind = step["kind"]
    cfg_path = pointer.join(path, "cfg")
    if kind in schema.KINDS_TO_COME:
        message = f"Steps of the kind “{kind}” are not available yet: {label_of(step)} cannot run."
        where = pointer.join(path, "kind")
        yield Problem(code="kind_not_available", message=message, path=where, step_id=step_id)
    elif kind == "action":
        yield from _check_action(step, path, step_id, catalog)
    elif kind == "condition":
        yield from check_condition_form(step["cfg"], path=cfg_path, step_id=step_id)
    elif kind == "switch":
        yield from _check_cases(step["cfg"], cfg_path, step_id)
    elif kind == "delay":
        yield from _check_delay(step["cfg"], cfg_path, step_id)
    elif kind == "loop":
        yield from check_loop(step["cfg"], path=cfg_path, step_id=step_id)
    elif kind in {"wait", "approval"}:
        yield from check_waiting(step, path=cfg_path, step_id=step_id, catalog=catalog)


def _check_action(
    step: Mapping[str, Any], path: str, step_id: str | None, catalog: CatalogView
) -> Iterator[Problem]:
    key = step.get("action_key")
    if not isinstance(key, str):
        return
    action = catalog.action(key)
    if action is None:
        near = nearest(key, catalog.action_keys())
        message = f"There is no action “{key}”.{near}"
        where = pointer.join(path, "action_key")
        yield Problem(code="unknown_action", message=message, path=where, step_id=step_id)
        return
    yield from form.check_cfg(
        step["cfg"],
        action.config_schema,
        path=pointer.join(path, "cfg"),
        step_id=step_id,
        may_hold_holes=True,
    )


def _check_cases(cfg: Any, path: str, step_id: str | None) -> Iterator[Problem]:
    cases = cfg.get("cases") if isinstance(cfg, Mapping) else None
    seen: set[str] = {"default"}
    for index, case in enumerate(cases if isinstance(cases, list) else ()):
        if not isinstance(case, Mapping):
            continue
        where = pointer.join(path, "cases", index)
        key = case.get("key")
        if isinstance(key, str) and key in seen:
            message = f"The branch “{key}” stands twice (“default” is always there): rename it."
            at = pointer.join(where, "key")
            yield Problem(code="duplicate_id", message=message, path=at, step_id=step_id)
        if isinstance(key, str):
            seen.add(key)
        if "when" in case:
            when = pointer.join(where, "when")
            yield from check_condition_form(case["when"], path=when, step_id=step_id)


def _check_delay(cfg: Any, path: str, step_id: str | None) -> Iterator[Problem]:
    for name, finding in _delay_findings(cfg if isinstance(cfg, Mapping) else {}):
        where = pointer.join(path, *name)
        yield Problem(code="form", message=finding, path=where, step_id=step_id)


def _delay_findings(cfg: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    yield from check_delay_form(cfg)
    span, until = cfg.get("for"), cfg.get("until")
    value = span.get("value") if isinstance(span, Mapping) else None
    if isinstance(value, str) and not form.has_hole(value):
        yield (
            ("for", "value"),
            "How long to wait is a number, or an expression like {{ vars.days }}.",
        )
    elif isinstance(span, Mapping) and _is_too_long(span):
        yield ("for",), "A delay lasts at most a year: make it shorter."
    if isinstance(until, str) and until and not form.has_hole(until) and not _is_moment(until):
        yield ("until",), "Until when is a date like 2027-01-31T09:00, or an expression."


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


def _check_trigger_type(
    trigger: Mapping[str, Any], path: str, catalog: CatalogView
) -> Iterator[Problem]:
    key = trigger["trigger_key"]
    trigger_type = catalog.trigger_type(key)
    if trigger_type is None:
        message = f"There is no trigger “{key}”.{nearest(key, catalog.trigger_keys())}"
        where = pointer.join(path, "trigger_key")
        yield Problem(code="unknown_trigger", message=message, path=where)
        return
    yield from form.check_cfg(
        trigger["cfg"],
        trigger_type.config_schema,
        path=pointer.join(path, "cfg"),
        step_id=None,
        may_hold_holes=False,
    )
    cfg = trigger["cfg"]
    for fault in trigger_type.find_faults(cfg) if isinstance(cfg, Mapping) else ():
        where = pointer.join(path, "cfg", *fault.path)
        yield Problem(code=fault.code, message=fault.message, path=where)


@lru_cache(maxsize=1)
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def _fits(value: Any, type_name: Any) -> bool:
    if type_name == "text":
        return isinstance(value, str)
    if type_name == "boolean":
        return isinstance(value, bool)
    if type_name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return True
