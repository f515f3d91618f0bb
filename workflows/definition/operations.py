"""Edits of a document as data: each can be applied, and each has an exact inverse.

An operation is a JSON object with ``op`` and the fields below. ``at`` is a place in the list
(absent: the end), ``path`` a JSON pointer inside the named part. ``set`` without ``value``, or
with ``"unset": true``, removes what stands there; in a list, ``"insert": true`` makes room.

========================  =======================================================
``add_step``              ``step``, ``at``
``remove_step``           ``id``; takes its edges along unless ``keep_edges``
``move_step``             ``id``, ``at``: the place in the list (the order of reading)
``set``                   ``step``, ``path``, ``value``: not the id
``rename``                ``step``, ``title``: the id stays
``add_edge``              ``edge`` {from, to, branch_key}, ``at``
``remove_edge``           ``edge``
``add_trigger``           ``trigger``, ``at``
``set_trigger``           ``trigger`` (its id), ``path``, ``value``
``remove_trigger``        ``id``
``add_variable``          ``variable``, ``at``
``set_variable``          ``variable`` (its key), ``path``, ``value``
``remove_variable``       ``key``
``set_settings``          ``path``, ``value``
``set_meta``              ``path`` (/name, /description, /category, /tags), ``value``
``replace``               ``document``: everything at once, shorthand too unless ``exact``
========================  =======================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from leadsend.lib.errors import InvalidInput, Problem
from workflows.definition import canonical, defaults, pointer
from workflows.definition.editing import OperationError
from workflows.definition.operation_kinds import KINDS
from workflows.definition.suggestions import nearest

Document = dict[str, Any]
Operation = dict[str, Any]
MAX_OPERATIONS = 1000


def apply(
    document: Mapping[str, Any], operations: Sequence[Any]
) -> tuple[Document, list[Operation]]:
    """Return the changed document and the operations that undo it, in the order to apply them.

    The document given is not touched; the result is in full form. All or nothing: raises
    InvalidInput with a problem at ``/operations/{n}`` when one cannot be applied.
    """
    if len(operations) > MAX_OPERATIONS:
        raise InvalidInput(f"At most {MAX_OPERATIONS} operations go together; send them in parts.")
    _check_values(operations)
    result = defaults.fill(document)
    undo: list[Operation] = []
    for index, operation in enumerate(operations):
        try:
            inverse = _apply_one(result, operation)
        except OperationError as refusal:
            path = pointer.join("", "operations", index)
            problem = Problem(code="operation", message=str(refusal), path=path)
            raise InvalidInput(str(refusal), problems=[problem]) from refusal
        undo = [*inverse, *undo]
    return defaults.fill(result), undo


def _check_values(operations: Sequence[Any]) -> None:
    found = next(canonical.find_problems(list(operations)), None)
    if found is not None:
        problem = Problem(code=found.code, message=found.message, path=f"/operations{found.path}")
        raise InvalidInput(found.message, problems=[problem])


def _apply_one(document: Document, operation: Any) -> list[Operation]:
    if not isinstance(operation, dict):
        raise OperationError('An operation is an object: {"op": …}.')
    name = operation.get("op")
    if not isinstance(name, str) or name not in KINDS:
        near = nearest(name, KINDS) if isinstance(name, str) else ""
        raise OperationError(f"There is no operation {name!r}; there are {', '.join(KINDS)}.{near}")
    kind = KINDS[name]
    for field in operation:
        if field != "op" and field not in (*kind.required, *kind.optional):
            known = (*kind.required, *kind.optional)
            raise OperationError(f"{name} takes no “{field}”.{nearest(field, known)}")
    for field in kind.required:
        if field not in operation:
            raise OperationError(f"{name} needs “{field}”.")
    return kind.apply(document, deepcopy(operation))
