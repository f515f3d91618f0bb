"""The variables of a workflow: open ones follow the draft, secret ones are sealed here.

The value of a secret variable stands in no document. Where one is handed in, it is taken out of
the document, sealed by the vault, and can afterwards only be replaced or used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from credentials import vault
from leadsend.lib import clock
from leadsend.lib.errors import InvalidInput, Problem
from workflows.definition import pointer
from workflows.models import Workflow, WorkflowVariable

_FIELD = "sealed"


def take_secrets(document: dict[str, Any]) -> dict[str, Any]:
    """Remove the values of secret variables from a document and return them by key.

    The document is changed in place.
    """
    secrets = {}
    for variable in document["variables"]:
        if variable.get("secret") is True and variable.get("value") is not None:
            secrets[variable["key"]] = variable.pop("value")
    return secrets


def bring_in_line(
    workflow: Workflow, document: Mapping[str, Any], secrets: Mapping[str, Any]
) -> None:
    """Make the rows say what the document and the newly given secrets say.

    Rows of secret variables stay when the document no longer names them: an older version that
    does may be made live again. Runs in the caller's transaction.
    """
    rows = {row.key: row for row in workflow.variables.all()}
    named = set()
    for variable in document["variables"]:
        named.add(variable["key"])
        row = rows.get(variable["key"]) or _new_row(workflow, variable["key"])
        if _fill(row, variable, secrets):
            row.updated_at = clock.now()
            row.save()
    gone = [row.pk for key, row in rows.items() if key not in named and not row.is_secret]
    if gone:
        workflow.variables.filter(pk__in=gone).delete()


def missing_secrets(workflow: Workflow, document: Mapping[str, Any]) -> list[Problem]:
    """Return a problem for each secret variable that was never given a value."""
    sealed = set(
        workflow.variables.filter(is_secret=True).exclude(sealed="").values_list("key", flat=True)
    )
    return [
        Problem(
            code="secret_missing",
            message=f"The secret “{variable['key']}” has no value yet: set it.",
            path=pointer.join("", "variables", index, "value"),
        )
        for index, variable in enumerate(document["variables"])
        if variable.get("secret") is True and variable["key"] not in sealed
    ]


def values_of(workflow_id: Any, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values by key that a run of this document works with, secret ones unsealed.

    Queries only where the document has secret variables. Raises ConfigurationError when one
    cannot be unsealed.
    """
    listed = document.get("variables", ())
    values = {item["key"]: item.get("value") for item in listed}
    secret = [item["key"] for item in listed if item.get("secret") is True]
    if secret:
        rows = WorkflowVariable.objects.filter(workflow_id=workflow_id, key__in=secret)
        for row in rows.exclude(sealed=""):
            values[row.key] = vault.unseal(row.sealed, owner_id=row.pk, field=_FIELD)
    return values


def _new_row(workflow: Workflow, key: str) -> WorkflowVariable:
    return WorkflowVariable(workflow=workflow, project_id=workflow.project_id, key=key)


def _fill(row: WorkflowVariable, variable: Mapping[str, Any], secrets: Mapping[str, Any]) -> bool:
    """Write a variable into its row and say whether that changed it."""
    before = (row.type, row.value, row.is_secret, row.sealed)
    row.type = str(variable.get("type", "text"))[:16]
    row.is_secret = variable.get("secret") is True
    row.value = None if row.is_secret else variable.get("value")
    if not row.is_secret:
        row.sealed = ""
    elif row.key in secrets:
        row.sealed = _seal(row, secrets[row.key])
    return row._state.adding or before != (row.type, row.value, row.is_secret, row.sealed)


def _seal(row: WorkflowVariable, value: Any) -> str:
    if not isinstance(value, str):
        message = f"The secret “{row.key}” must be text: put quotes around it."
        raise InvalidInput(
            message, problems=[Problem(code="wrong_type", message=message, path="/variables")]
        )
    return vault.seal(value, owner_id=row.pk, field=_FIELD)
