"""What each operation does to a document, and what undoes it.

Every function changes the document (in full form) in place and returns the inverse operations, or
raises OperationError before it has changed anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from leadsend.lib.errors import InvalidInput
from workflows.definition import defaults, shorthand
from workflows.definition.editing import OperationError, at_of, find, place, set_in, text

Document = dict[str, Any]
Operation = dict[str, Any]

_EDGE_KEYS = ("from", "to", "branch_key")
_META = ("name", "description", "category", "tags")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of operation: its function, and the fields it needs and takes."""

    apply: Callable[[Document, Operation], list[Operation]]
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


def _add(part: str, noun: str, field: str) -> Callable[[Document, Operation], list[Operation]]:
    def add(document: Document, operation: Operation) -> list[Operation]:
        item = operation[noun]
        if not isinstance(item, dict) or not isinstance(item.get(field), str) or not item[field]:
            raise OperationError(f"A {noun} is an object with a text “{field}”.")
        if len(item[field]) > shorthand.MAX_NAME:
            raise OperationError(f"A {field} is at most {shorthand.MAX_NAME} characters long.")
        items = document[part]
        if any(known.get(field) == item[field] for known in items):
            raise OperationError(
                f"There is already a {noun} “{item[field]}”: choose another {field}."
            )
        items.insert(at_of(operation, items), defaults.fill_part(part, item))
        # Links that were waiting for a step of this name were there before it: they stay.
        kept = {"keep_edges": True} if noun == "step" else {}
        return [{"op": f"remove_{noun}", field: item[field], **kept}]

    return add


def _remove(part: str, noun: str, field: str) -> Callable[[Document, Operation], list[Operation]]:
    def remove(document: Document, operation: Operation) -> list[Operation]:
        index = find(document[part], field, operation[field], noun)
        item = document[part].pop(index)
        return [{"op": f"add_{noun}", noun: item, "at": index}]

    return remove


def _remove_step(document: Document, operation: Operation) -> list[Operation]:
    index = find(document["steps"], "id", operation["id"], "step")
    name = operation["id"]
    inside = [step.get("id") for step in document["steps"] if step.get("parent") == name]
    if inside:
        raise OperationError(f"“{inside[0]}” stands inside “{name}”: remove it first.")
    inverse = [{"op": "add_step", "step": document["steps"].pop(index), "at": index}]
    edges = document["edges"]
    if operation.get("keep_edges") is True:
        return inverse
    ends = [(edge.get("from"), edge.get("to")) for edge in edges]
    removed = [(at, edges[at]) for at, pair in enumerate(ends) if name in pair]
    for at, _ in reversed(removed):
        del edges[at]
    return inverse + [{"op": "add_edge", "edge": edge, "at": at} for at, edge in removed]


def _move_step(document: Document, operation: Operation) -> list[Operation]:
    steps = document["steps"]
    index = find(steps, "id", operation["id"], "step")
    at = place(operation["at"], len(steps) - 1)
    steps.insert(at, steps.pop(index))
    return [{"op": "move_step", "id": operation["id"], "at": index}]


def _add_edge(document: Document, operation: Operation) -> list[Operation]:
    edge = defaults.fill_part("edges", _edge(operation))
    if _place_of(edge, document) is not None:
        raise OperationError(f"“{edge['from']}” already leads to “{edge['to']}” on that branch.")
    document["edges"].insert(at_of(operation, document["edges"]), edge)
    return [{"op": "remove_edge", "edge": edge}]


def _remove_edge(document: Document, operation: Operation) -> list[Operation]:
    edge = defaults.fill_part("edges", _edge(operation))
    index = _place_of(edge, document)
    if index is None:
        branch = edge["branch_key"]
        raise OperationError(
            f"“{edge['from']}” does not lead to “{edge['to']}” on branch “{branch}”."
        )
    return [{"op": "add_edge", "edge": document["edges"].pop(index), "at": index}]


def _place_of(edge: Mapping[str, Any], document: Document) -> int | None:
    wanted = [edge[key] for key in _EDGE_KEYS]
    for index, known in enumerate(document["edges"]):
        if [known.get(key) for key in _EDGE_KEYS] == wanted:
            return index
    return None


def _edge(operation: Operation) -> dict[str, Any]:
    edge = operation["edge"]
    if not isinstance(edge, dict):
        raise OperationError('An edge is {"from": …, "to": …, "branch_key": …}.')
    for key in _EDGE_KEYS:
        text(edge.get(key, "default" if key == "branch_key" else None), f"edge.{key}")
    return edge


def _set_step(document: Document, operation: Operation) -> list[Operation]:
    return _set_part(document, operation, "steps", "step", "id", "set")


def _set_trigger(document: Document, operation: Operation) -> list[Operation]:
    return _set_part(document, operation, "triggers", "trigger", "id", "set_trigger")


def _set_variable(document: Document, operation: Operation) -> list[Operation]:
    return _set_part(document, operation, "variables", "variable", "key", "set_variable")


def _set_part(
    document: Document, operation: Operation, part: str, noun: str, field: str, name: str
) -> list[Operation]:
    items = document[part]
    index = find(items, field, operation[noun], noun)
    changed, inverse = set_in(items[index], operation, fixed=(field,))
    items[index] = defaults.fill_part(part, changed)
    return [{"op": name, noun: operation[noun], **inverse}]


def _rename(document: Document, operation: Operation) -> list[Operation]:
    index = find(document["steps"], "id", operation["step"], "step")
    step = document["steps"][index]
    before = step.get("title", "")
    step = step | {"title": text(operation["title"], "title", may_be_empty=True)}
    document["steps"][index] = defaults.fill_part("steps", step)
    if not isinstance(before, str):
        return [{"op": "set", "step": operation["step"], "path": "/title", "value": before}]
    return [{"op": "rename", "step": operation["step"], "title": before}]


def _set_settings(document: Document, operation: Operation) -> list[Operation]:
    document["settings"], inverse = set_in(document["settings"], operation)
    return [{"op": "set_settings", **inverse}]


def _set_meta(document: Document, operation: Operation) -> list[Operation]:
    before = {key: document[key] for key in _META if key in document}
    after, inverse = set_in(before, operation)
    unknown = next((key for key in after if key not in _META), None)
    if unknown is not None:
        raise OperationError(f"set_meta sets {', '.join(_META)}, not “{unknown}”.")
    for key in _META:
        document.pop(key, None)
    document.update(after)
    document.update(defaults.fill(document))
    return [{"op": "set_meta", **inverse}]


def _replace(document: Document, operation: Operation) -> list[Operation]:
    try:
        read = shorthand.keep if operation.get("exact") is True else shorthand.expand
        new = read(operation["document"])
    except InvalidInput as error:
        raise OperationError(error.message) from error
    before = dict(document)
    document.clear()
    document.update(new)
    return [{"op": "replace", "document": before, "exact": True}]


_SET = ("value", "unset", "insert")

KINDS: Mapping[str, Kind] = {
    "add_step": Kind(apply=_add("steps", "step", "id"), required=("step",), optional=("at",)),
    "remove_step": Kind(apply=_remove_step, required=("id",), optional=("keep_edges",)),
    "move_step": Kind(apply=_move_step, required=("id", "at")),
    "set": Kind(apply=_set_step, required=("step", "path"), optional=_SET),
    "rename": Kind(apply=_rename, required=("step", "title")),
    "add_edge": Kind(apply=_add_edge, required=("edge",), optional=("at",)),
    "remove_edge": Kind(apply=_remove_edge, required=("edge",)),
    "add_trigger": Kind(
        apply=_add("triggers", "trigger", "id"), required=("trigger",), optional=("at",)
    ),
    "set_trigger": Kind(apply=_set_trigger, required=("trigger", "path"), optional=_SET),
    "remove_trigger": Kind(apply=_remove("triggers", "trigger", "id"), required=("id",)),
    "add_variable": Kind(
        apply=_add("variables", "variable", "key"), required=("variable",), optional=("at",)
    ),
    "set_variable": Kind(apply=_set_variable, required=("variable", "path"), optional=_SET),
    "remove_variable": Kind(apply=_remove("variables", "variable", "key"), required=("key",)),
    "set_settings": Kind(apply=_set_settings, required=("path",), optional=_SET),
    "set_meta": Kind(apply=_set_meta, required=("path",), optional=_SET),
    "replace": Kind(apply=_replace, required=("document",), optional=("exact",)),
}
