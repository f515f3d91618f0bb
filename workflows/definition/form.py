"""Checks the form of a document's parts and says in sentences what to change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from leadsend.lib.errors import Problem
from workflows.definition import pointer, schema
from workflows.definition.form_messages import message_of

# Conditions have a check of their own (condition_form), which says more than a schema can.
_DEFS = dict(schema.DEFS) | {"condition": {"type": "object"}}


def check_frame(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with the document's own fields (name, tags, settings …)."""
    return _check(document, _frame_validator(), path="", step_id=None)


def check_step(step: Mapping[str, Any], *, path: str, step_id: str) -> Iterator[Problem]:
    """Yield what is wrong with the fields of a step whose kind is known."""
    return _check(step, _step_validator(step["kind"]), path=path, step_id=step_id)


def check_part(part: str, item: Mapping[str, Any], *, path: str) -> Iterator[Problem]:
    """Yield what is wrong with one of the ``edges``, ``triggers`` or ``variables``."""
    return _check(item, _part_validator(part), path=path, step_id=None)


def check_cfg(
    cfg: Any,
    config_schema: Mapping[str, Any],
    *,
    path: str,
    step_id: str | None,
    may_hold_holes: bool,
) -> Iterator[Problem]:
    """Yield what is wrong with the settings of an action or trigger, by its own schema.

    Text with ``{{ }}`` fits everywhere where ``may_hold_holes``: its value is known only later.
    """
    validator = _closed_validator(config_schema)
    return _check(cfg, validator, path=path, step_id=step_id, may_hold_holes=may_hold_holes)


def has_hole(value: Any) -> bool:
    """Say whether a value is text with ``{{`` in it."""
    return isinstance(value, str) and "{{" in value


def _check(
    value: Any,
    validator: Draft202012Validator,
    *,
    path: str,
    step_id: str | None,
    may_hold_holes: bool = False,
) -> Iterator[Problem]:
    said = set()
    for error in validator.iter_errors(value):
        if may_hold_holes and _is_about_a_hole(error):
            continue
        cause = best_match([error]) or error
        for code, tail, message in message_of(cause):
            where = pointer.join(path, *cause.absolute_path, *tail)
            if (where, message) not in said:
                said.add((where, message))
                yield Problem(code=code, message=message, path=where, step_id=step_id)


def _is_about_a_hole(error: ValidationError) -> bool:
    if has_hole(error.instance):
        return True
    return any(_is_about_a_hole(inner) for inner in error.context or ())


def _closed_validator(config_schema: Mapping[str, Any]) -> Draft202012Validator:
    # A key that an action does not know is a typing error, whatever its schema forgot to say.
    closed = {"type": "object", "additionalProperties": False, **config_schema}
    return _validator(closed)


@lru_cache(maxsize=1)
def _frame_validator() -> Draft202012Validator:
    return _validator({**schema.frame_schema(), "$defs": _DEFS})


@lru_cache(maxsize=32)
def _step_validator(kind: str) -> Draft202012Validator:
    step = schema.step_schema(kind)
    return _validator({**step, "$defs": _DEFS})


@lru_cache(maxsize=8)
def _part_validator(part: str) -> Draft202012Validator:
    parts = {"edges": schema.EDGE, "triggers": schema.TRIGGER, "variables": schema.VARIABLE}
    return _validator({**parts[part], "$defs": _DEFS})


def _validator(of: Mapping[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(dict(of), format_checker=Draft202012Validator.FORMAT_CHECKER)
