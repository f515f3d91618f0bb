"""Walks a tree with the types of its roots, and collects what cannot work."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from leadsend.lib.errors import Severity
from workflows.definition.expressions.access import ROOTS
from workflows.definition.expressions.calls import function_of, problem_of
from workflows.definition.expressions.functions.form import Kinds, words
from workflows.definition.expressions.guards import sure_if_false, sure_if_true
from workflows.definition.expressions.operator_types import result_kinds
from workflows.definition.expressions.sight import Finding, Sight
from workflows.definition.expressions.tree import (
    Binary,
    Call,
    Choice,
    Field,
    Has,
    Index,
    ListOf,
    Literal,
    Macro,
    MapOf,
    Name,
    Node,
    Position,
    Unary,
    static_path,
    written,
)
from workflows.definition.expressions.types import (
    DYNAMIC,
    Member,
    Type,
    TypeEnv,
    from_schema,
    items_of,
    known_fields,
    member_of,
    of_kinds,
    union,
)
from workflows.definition.expressions.values import Kind, kind_of

BOOL = of_kinds(Kind.BOOL)


class Checker:
    """Finds the type of each node; ``findings`` fills up on the way."""

    def __init__(self, types: TypeEnv) -> None:
        self.types = types
        self.findings: list[Finding] = []

    def check(self, tree: Node, *, tolerant: bool = False) -> Type:
        """Return the type of a whole expression; ``tolerant`` when a missing value is fine."""
        return self._of(tree, Sight({}, tolerant=tolerant))

    def _say(
        self, code: str, at: Position, message: str, severity: Severity = Severity.ERROR
    ) -> Type:
        self.findings.append(Finding(code, message, at, severity))
        return DYNAMIC

    def _of(self, node: Node, sight: Sight) -> Type:
        match node:
            case Literal(value=value):
                return Type(frozenset({kind_of(value)}), choices=(value,))
            case Name():
                return self._name(node, sight)
            case Field(target=target, name=name):
                return self._field(node, self._of(target, sight), name, sight)
            case Index():
                return self._index(node, sight)
            case Unary() | Binary() | Choice():
                return self._operator(node, sight)
            case _:
                return self._form(node, sight)

    def _form(self, node: Call | Macro | Has | ListOf | MapOf, sight: Sight) -> Type:
        match node:
            case Call():
                return self._call(node, sight)
            case Macro():
                return self._macro(node, sight)
            case Has(path=path):
                self._of(path, Sight(sight.bound, sight.sure, tolerant=True))
                return BOOL
            case ListOf(items=items):
                inner = [self._of(item, sight) for item in items]
                return Type(frozenset({Kind.LIST}), items=union(inner) if inner else None)
            case MapOf(entries=entries):
                return self._map(entries, sight)

    def _map(self, entries: tuple[tuple[Node, Node], ...], sight: Sight) -> Type:
        for key, value in entries:
            keys = self._of(key, sight)
            self._needs(keys, frozenset({Kind.STRING}), key.at, "The key of an object")
            self._of(value, sight)
        return of_kinds(Kind.MAP)

    # Paths

    def _name(self, node: Name, sight: Sight) -> Type:
        name = node.name
        if name in sight.bound:
            return sight.bound[name]
        if name == "now":
            return of_kinds(Kind.TIMESTAMP)
        if name in self.types.roots:
            return from_schema(self.types.roots[name])
        if name in {"item", "index"}:
            return self._say("unknown_root", node.at, f"`{name}` exists only inside a loop")
        if name in ROOTS:
            return DYNAMIC
        known = [*ROOTS, *sight.bound]
        hint = _meant(name, known) or f"; there are {', '.join(ROOTS)}"
        return self._say("unknown_root", node.at, f"There is no `{name}` here{hint}")

    def _index(self, node: Index, sight: Sight) -> Type:
        target = self._of(node.target, sight)
        if isinstance(node.key, Literal) and isinstance(node.key.value, str):
            return self._field(node, target, node.key.value, sight)
        key = self._of(node.key, sight)
        self._needs(target, frozenset({Kind.LIST, Kind.MAP}), node.at, written(node.target))
        if target.kinds == {Kind.LIST}:
            self._needs(key, frozenset({Kind.INT, Kind.DOUBLE}), node.at, "The place in a list")
            return items_of(target)
        return DYNAMIC

    def _field(self, node: Field | Index, target: Type, name: str, sight: Sight) -> Type:
        if not target.is_known:
            return DYNAMIC
        named = written(node.target)
        if Kind.MAP not in target.kinds:
            said = f"`{named}` is {target.words}, so it has no field `{name}`"
            return self._say("wrong_type", node.at, said)
        path = static_path(node)
        is_step = named == "steps" and isinstance(node.target, Name)
        if is_step and name in self.types.later:
            said = f"The step `{name}` runs later, so it has no output yet"
            return self._say("step_runs_later", node.at, said)
        member = member_of(target, name)
        if member is None:
            return self._unknown(node, target, name, is_step=is_step)
        guarded = sight.tolerant or (path is not None and path in sight.sure)
        if not guarded:
            self._may_be_missing(node, name, member, target, is_step=is_step)
        return member.type

    def _unknown(self, node: Field | Index, target: Type, name: str, *, is_step: bool) -> Type:
        known = known_fields(target)
        hint = _meant(name, known) or (f"; there are {', '.join(known[:8])}" if known else "")
        if is_step:
            return self._say("unknown_step", node.at, f"There is no step `{name}`{hint}")
        said = f"`{written(node.target)}` has no field `{name}`{hint}"
        return self._say("unknown_field", node.at, said)

    def _may_be_missing(
        self, node: Field | Index, name: str, member: Member, target: Type, *, is_step: bool
    ) -> None:
        path = written(node)
        if is_step and name in self.types.maybe_absent:
            said = (
                f"The step `{name}` may not have run on this path; guard it with "
                f'default({path}.output.…, "") or has({path}.output)'
            )
            self._say("step_may_not_run", node.at, said)
        elif member.optional or Kind.NULL in target.kinds:
            said = f'`{path}` may be missing; guard it with default({path}, "")'
            self._say("may_be_missing", node.at, said, Severity.WARNING)

    # Operators

    def _operator(self, node: Unary | Binary | Choice, sight: Sight) -> Type:
        match node:
            case Unary(operator=operator, operand=operand):
                kinds = {Kind.BOOL} if operator == "!" else {Kind.INT, Kind.DOUBLE}
                value = self._of(operand, sight)
                self._needs(value, frozenset(kinds), node.at, f"What stands behind `{operator}`")
                return Type(value.kinds & kinds or frozenset(kinds))
            case Choice(test=test, yes=yes, no=no):
                self._needs(self._of(test, sight), BOOL.kinds, node.at, "What stands before `?`")
                return union(
                    [
                        self._of(yes, sight.knowing(sure_if_true(test))),
                        self._of(no, sight.knowing(sure_if_false(test))),
                    ]
                )
            case Binary():
                return self._binary(node, sight)

    def _binary(self, node: Binary, sight: Sight) -> Type:
        left, right = self._sides(node, sight)
        kinds = result_kinds(node.operator, left.kinds, right.kinds)
        is_equality = node.operator in {"==", "!="}
        if kinds and is_equality:
            self._choice(left, right, node.right.at)
            self._choice(right, left, node.left.at)
        if kinds:
            return Type(kinds)
        said = f"`{node.operator}` does not work between {left.words} and {right.words}"
        if is_equality:
            said = f"{left.words} and {right.words} can never be equal"
        self._say("incomparable" if is_equality else "wrong_type", node.at, said)
        return BOOL if is_equality else DYNAMIC

    def _choice(self, several: Type, one: Type, at: Position) -> None:
        if len(several.choices) > 1 and len(one.choices) == 1:
            value, known = one.choices[0], ", ".join(map(str, several.choices[:8]))
            if value is not None and value not in several.choices:
                said = f"“{value}” is never the value; it is one of {known}"
                self._say("unknown_choice", at, said, Severity.WARNING)

    def _sides(self, node: Binary, sight: Sight) -> tuple[Type, Type]:
        """Check both sides; each may rely on what the other makes sure, in either order."""
        guards = {"&&": sure_if_true, "||": sure_if_false}.get(node.operator)
        if guards is None:
            return self._of(node.left, sight), self._of(node.right, sight)
        return (
            self._of(node.left, sight.knowing(guards(node.right))),
            self._of(node.right, sight.knowing(guards(node.left))),
        )

    # Calls

    def _call(self, node: Call, sight: Sight) -> Type:
        problem = problem_of(node)
        if problem:
            code = "wrong_arguments" if problem.startswith("`") else "unknown_function"
            return self._say(code, node.at, problem)
        if node.target is None and node.name == "default":
            return self._default(node, sight)
        function = function_of(node)
        if function is None:
            return DYNAMIC
        args = list(node.args) if node.target is None else [node.target, *node.args]
        kinds = function.args if function.on is None else (function.on, *function.args)
        types = [self._of(arg, sight) for arg in args]
        for arg, given, allowed in zip(args, types, kinds, strict=False):
            self._needs(given, allowed, arg.at, f"`{node.name}`: {written(arg)}")
        if node.name in {"first", "last"} and types[0].kinds == {Kind.LIST}:
            return items_of(types[0])
        return Type(function.result)

    def _default(self, node: Call, sight: Sight) -> Type:
        value = self._of(node.args[0], Sight(sight.bound, sight.sure, tolerant=True))
        otherwise = self._of(node.args[1], sight)
        if not value.is_known:
            return DYNAMIC
        return union([Type(value.kinds - {Kind.NULL}, value.schema, value.items), otherwise])

    def _macro(self, node: Macro, sight: Sight) -> Type:
        target = self._of(node.target, sight)
        self._needs(
            target,
            frozenset({Kind.LIST, Kind.MAP}),
            node.at,
            f"`{node.name}` goes over a list: this",
        )
        bound = {**sight.bound, node.variable: items_of(target)}
        inner = Sight(bound, sight.sure, sight.tolerant)
        if node.where is not None:
            self._needs(self._of(node.where, inner), BOOL.kinds, node.where.at, "The filter of map")
        body = self._of(node.body, inner)
        if node.name == "map":
            return Type(frozenset({Kind.LIST}), items=body)
        self._needs(body, BOOL.kinds, node.body.at, f"The test of `{node.name}`")
        if node.name != "filter":
            return BOOL
        return Type(frozenset({Kind.LIST}), items=items_of(target))

    def _needs(self, given: Type, allowed: Kinds, at: Position, what: Any) -> None:
        if not given.kinds & allowed:
            self._say("wrong_type", at, f"{what} is {given.words}; {words(allowed)} is needed")


def _meant(name: str, known: list[str]) -> str:
    near = get_close_matches(name[:100], known, n=1)
    return f"; did you mean `{near[0]}`?" if near else ""
