"""Everything that is wrong with a workflow's document, the database's part included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leadsend.lib.errors import InvalidInput, Problem
from registry.catalog import catalog
from workflows import calls, variables
from workflows.definition.validation import errors_of, validate
from workflows.models import Workflow


def problems_of(workflow: Workflow, document: Mapping[str, Any]) -> list[Problem]:
    """Return the problems of a document that is, or is to become, one of this workflow."""
    problems = validate(document, catalog=catalog())
    problems += variables.missing_secrets(workflow, document)
    problems += calls.problems_of_calls(workflow, document)
    return problems + calls.problems_of_handler(workflow, document)


def refuse_errors(problems: list[Problem]) -> None:
    """Raise InvalidInput with all errors when there is one; warnings pass."""
    errors = errors_of(problems)
    if errors:
        count = "one problem" if len(errors) == 1 else f"{len(errors)} problems"
        raise InvalidInput(
            f"The workflow cannot be published while it has {count}: {errors[0].message}",
            code="has_problems",
            problems=errors,
        )
