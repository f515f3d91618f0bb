"""What is known of a value before anything runs, derived from JSON Schemas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workflows.definition.expressions.functions.form import ANY, words
from workflows.definition.expressions.values import NUMBERS, Kind, kind_of

Schema = Mapping[str, Any]
_JSON_KINDS: dict[str, frozenset[Kind]] = {
    "null": frozenset({Kind.NULL}),
    "boolean": frozenset({Kind.BOOL}),
    "integer": frozenset({Kind.INT}),
    "number": NUMBERS,
    "string": frozenset({Kind.STRING}),
    "array": frozenset({Kind.LIST}),
    "object": frozenset({Kind.MAP}),
}


@dataclass(frozen=True, slots=True)
class Type:
    """The kinds a value may have; all kinds means that nothing is known.

    ``schema`` describes fields and items where they are known, ``items`` the items of a list that
    an expression makes, ``choices`` the values of an enum.
    """

    kinds: frozenset[Kind]
    schema: Schema = field(default_factory=dict, compare=False)
    items: Type | None = None
    choices: tuple[Any, ...] = ()

    @property
    def is_known(self) -> bool:
        """Return whether anything is known."""
        return self.kinds != ANY

    @property
    def words(self) -> str:
        """Return the kinds for messages."""
        return words(self.kinds)


DYNAMIC = Type(ANY)


@dataclass(frozen=True, slots=True)
class Member:
    """A field of an object: its type, and whether it may be missing."""

    type: Type
    optional: bool = False


def of_kinds(*kinds: Kind) -> Type:
    """Return the type of these kinds."""
    return Type(frozenset(kinds))


def union(types: Iterable[Type]) -> Type:
    """Return the type of a value that is one of several; fields are known when all agree."""
    several = list(types)
    kinds = frozenset(kind for one in several for kind in one.kinds)
    first = next((one for one in several if one.kinds & {Kind.MAP, Kind.LIST}), DYNAMIC)
    agree = all(
        one.schema == first.schema and one.items == first.items
        for one in several
        if one.kinds & {Kind.MAP, Kind.LIST}
    )
    return Type(kinds, first.schema, first.items) if agree else Type(kinds)


def from_schema(schema: Any) -> Type:
    """Return the type of a JSON Schema; ``{}``, ``True`` and references tell nothing."""
    if not isinstance(schema, Mapping):
        return DYNAMIC
    choices = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(choices, list) and choices:
        return union([from_schema(choice) for choice in choices])
    values = schema.get("enum") or ([schema["const"]] if "const" in schema else None)
    if isinstance(values, list):
        return Type(frozenset(kind_of(value) for value in values), schema, choices=tuple(values))
    return Type(_kinds(schema), schema)


def _kinds(schema: Schema) -> frozenset[Kind]:
    named = schema.get("type", "object" if "properties" in schema else None)
    names = [named] if isinstance(named, str) else named
    if not isinstance(names, list):
        return ANY
    return frozenset(kind for name in names for kind in _JSON_KINDS.get(name, ANY))


def member_of(value: Type, name: str) -> Member | None:
    """Return a field of an object, or None when the schema says that there is none.

    A schema with ``properties`` names all fields unless it allows others explicitly. A field is
    optional when the schema has a ``required`` list that leaves it out.
    """
    properties = value.schema.get("properties")
    if isinstance(properties, Mapping) and name in properties:
        required = value.schema.get("required")
        optional = isinstance(required, list) and name not in required
        return Member(from_schema(properties[name]), optional)
    others = value.schema.get("additionalProperties")
    if isinstance(others, Mapping):
        return Member(from_schema(others), optional=True)
    closed = others is False or (bool(properties) and others is None)
    return None if closed and "patternProperties" not in value.schema else Member(DYNAMIC)


def known_fields(value: Type) -> list[str]:
    """Return the names of an object's fields."""
    return list(value.schema.get("properties", ()))


def items_of(value: Type) -> Type:
    """Return what a list's items are; an object's "items", in a macro, are its keys."""
    if value.items is not None:
        return value.items
    if value.kinds == {Kind.MAP}:
        return of_kinds(Kind.STRING)
    return from_schema(value.schema.get("items")) if Kind.LIST in value.kinds else DYNAMIC


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeEnv:
    """What an expression at one place of a document may name.

    ``roots`` are JSON Schemas by root; a root left out is one of which nothing is known, but
    ``item`` and ``index`` exist only where they are given. ``maybe_absent`` are steps that may not
    have run before this place, ``later`` are steps that cannot have run.
    """

    roots: Mapping[str, Any]
    maybe_absent: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        *,
        event: Any = None,
        steps: Mapping[str, Any] | None = None,
        variables: Mapping[str, Any] | None = None,
        maybe_absent: Iterable[str] = (),
        later: Iterable[str] = (),
        **others: Any,
    ) -> TypeEnv:
        """Return the environment for an event's schema, steps' output schemas and variables."""
        roots: dict[str, Any] = {"event": event, **others}
        if steps is not None:
            roots["steps"] = _closed({name: _step(output) for name, output in steps.items()})
        if variables is not None:
            roots["vars"] = _closed(variables)
        return cls(roots=roots, maybe_absent=frozenset(maybe_absent), later=frozenset(later))


def _step(output: Any) -> Schema:
    return _closed({"output": output})


def _closed(properties: Mapping[str, Any]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
