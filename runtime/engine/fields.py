"""A step's settings, compiled field by field so that a failure can name its field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from leadsend.lib.errors import ConfigurationError, LeadSendError
from workflows.definition.expressions.text import compile_value

Scope = Mapping[str, Any]
Evaluate = Callable[[Scope], Any]


class FieldError(LeadSendError):
    """A field of a step's settings could not be evaluated; ``field`` is its name in ``cfg``."""

    code = "expression"

    def __init__(self, error: LeadSendError, *, step_id: str, field: str) -> None:
        super().__init__(
            f"Step {step_id}, field {field}: {error.message}",
            code=error.code,
            problems=error.problems,
        )
        self.field = field
        self.source = str(getattr(error, "source", ""))
        self.line = int(getattr(error, "line", 0))
        self.column = int(getattr(error, "column", 0))


def compile_fields(cfg: Mapping[str, Any], *, step_id: str) -> Callable[[Scope], dict[str, Any]]:
    """Return a function from scope to the settings with every hole filled.

    The function raises FieldError. Raises ConfigurationError for a text that cannot be compiled.
    """
    constants = {key: value for key, value in cfg.items() if not _has_hole(value)}
    moving = tuple(
        (key, compile_field(value, step_id=step_id, field=key))
        for key, value in cfg.items()
        if key not in constants
    )
    if not moving:
        return lambda scope: constants.copy()

    def filled(scope: Scope) -> dict[str, Any]:
        values = constants.copy()
        for key, run in moving:
            values[key] = run(scope)
        return values

    return filled


def compile_field(value: Any, *, step_id: str, field: str) -> Evaluate:
    """Return a function from scope to one field's value; errors as of ``compile_fields``."""
    return named(lambda: compile_value(value), step_id=step_id, field=field)


def named(build: Callable[[], Evaluate], *, step_id: str, field: str) -> Evaluate:
    """Return what ``build`` compiles, its errors naming step and field."""
    try:
        run = build()
    except LeadSendError as error:
        raise ConfigurationError(
            f"Step {step_id}, field {field}: {error.message}", code=error.code
        ) from error

    def evaluate(scope: Scope) -> Any:
        try:
            return run(scope)
        except LeadSendError as error:
            raise FieldError(error, step_id=step_id, field=field) from error

    return evaluate


def _has_hole(value: Any) -> bool:
    if isinstance(value, str):
        return "{{" in value
    if isinstance(value, Mapping):
        return any(map(_has_hole, value.values()))
    return isinstance(value, list | tuple) and any(map(_has_hole, value))
