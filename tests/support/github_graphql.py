"""GraphQL over a history: executed by graphql-core on GitHub's own schema, priced by its rules."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLResolveInfo,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    execute_sync,
    parse,
    validate,
    value_from_ast_untyped,
)

from tests.support import github_said as said
from tests.support.github_connections import problem
from tests.support.github_history import History
from tests.support.github_model import Repository
from tests.support.github_nodes import Nodes
from tests.support.github_people import actor, user
from tests.support.github_schema import graphql_schema

Variables = Mapping[str, Any]
MOST_NODES = 500_000


@dataclass(frozen=True)
class Priced:
    """What a query may return at most (``nodes``), and its price in points."""

    nodes: int
    cost: int


@cache
def _checked(text: str) -> tuple[DocumentNode, Sequence[GraphQLError]] | GraphQLError:
    """A document and what is wrong with it, or why it is none. The same ones come often."""
    try:
        document = parse(text)
    except GraphQLError as error:
        return error
    return document, validate(graphql_schema(), document)


class Query:
    """A request's document, parsed and checked: ``errors`` is what GitHub would say of it."""

    def __init__(self, text: str, variables: Variables, operation: str | None) -> None:
        self.variables, self.operation = variables, operation
        self.priced, self.errors = Priced(0, 1), list[GraphQLError]()
        checked = _checked(text)
        if isinstance(checked, GraphQLError):
            self.errors = [checked]
            return
        self.document, self.errors = checked[0], list(checked[1])
        if not self.errors:
            self.priced = _price(self.document, variables, operation)
        if self.priced.nodes > MOST_NODES:
            told = f"This query requests up to {self.priced.nodes:,} possible nodes which exceeds"
            told += f" the maximum limit of {MOST_NODES:,}."
            self.errors = [problem("MAX_NODE_LIMIT_EXCEEDED", told)]

    @property
    def name(self) -> str | None:
        """Of the operation."""
        if not hasattr(self, "document"):
            return None
        names = [d.name.value for d in _operations(self.document) if d.name]
        return self.operation or next(iter(names), None)

    def run(self, told: History, limit: Mapping[str, Any]) -> dict[str, Any]:
        """The answer's body. ``limit`` is what the field ``rateLimit`` shows."""
        if self.errors:
            return {"errors": [_told(error) for error in self.errors]}
        root = _Root(told, limit).fields()
        result = execute_sync(
            *(graphql_schema(), self.document, root),
            variable_values=dict(self.variables),
            field_resolver=_resolved,
            operation_name=self.operation,
        )
        for error in result.errors or ():
            if not isinstance(error.original_error, GraphQLError | None):
                raise error.original_error
        body: dict[str, Any] = {"data": result.data}
        if result.errors:
            body["errors"] = [_told(error) for error in result.errors]
        return body


def _resolved(source: Mapping[str, Any], info: GraphQLResolveInfo[Any], **args: Any) -> Any:
    """A member of an object. Raises KeyError for one that the stand-in has forgotten."""
    value = source[info.field_name]
    return value(info, **args) if callable(value) else value


class _Root:
    def __init__(self, told: History, limit: Mapping[str, Any]) -> None:
        self.told, self.limit = told, limit

    def fields(self) -> dict[str, Any]:
        return {
            "id": "Query",
            "rateLimit": self.limit,
            "repository": lambda _, **args: self._repository(**args),
            "user": lambda _, login: self._user(login),
            "node": lambda _, **args: self._node(args["id"]),
            "nodes": lambda _, ids: [self._each(id_) for id_ in ids],
        }

    def _repository(self, owner: str, name: str, followRenames: bool) -> Any:  # noqa: N803
        full = f"{owner}/{name}"
        try:
            found = self.told.at(full)
        except KeyError:
            found = None
        moved = found is not None and found.name.lower() != full.lower()
        if found is None or found.private or (moved and not followRenames):
            raise problem("NOT_FOUND", f"Could not resolve to a Repository with the name '{full}'.")
        if found.blocked:
            raise problem("FORBIDDEN", "Repository access blocked")
        return Nodes(self.told, found).repository()

    def _user(self, login: str) -> Any:
        try:
            found = self.told.account(login)
        except KeyError:
            found = None
        if found is None or found.type != "User":
            raise problem("NOT_FOUND", f"Could not resolve to a User with the login of '{login}'.")
        return user(found)

    def _each(self, id_: str) -> Any:
        """An object, or an error in its place: that is how one of a list is null."""
        try:
            return self._node(id_)
        except GraphQLError as error:
            return error

    def _node(self, id_: str) -> Any:
        found = self._found(id_)
        if found is None:
            raise problem("NOT_FOUND", f"Could not resolve to a node with the global id of '{id_}'")
        return found

    def _found(self, id_: str) -> Any:
        prefix, _, packed = id_.partition("_")
        try:
            text = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
            _, first, *rest = msgspec.msgpack.decode(text)
        except (ValueError, TypeError, msgspec.MsgspecError):
            return None
        if prefix in {"U", "BOT", "O"}:
            return actor(self.told.accounts.get(first))
        place = self.told.repositories.get(first)
        if place is None or place.private or place.blocked:
            return None
        if prefix == "R":
            return Nodes(self.told, place).repository()
        return _within(Nodes(self.told, place), place, prefix, rest[0] if rest else None)


def _within(nodes: Nodes, place: Repository, prefix: str, id_: Any) -> Any:
    """An object of a repository by the prefix and second part of its global id."""
    threads = place.threads.values()
    match prefix:
        case "C":
            return nodes.commit(id_)
        case "REF":
            return nodes.ref(str(id_).removeprefix("refs/heads/"))
        case "PR" | "I":
            return next((nodes.thread(each) for each in threads if each.id == id_), None)
        case "PRR":
            of = ((pull, each) for pull in place.pulls for each in pull.reviews if each.id == id_)
            return next((said.review(nodes, *each) for each in of), None)
        case "RE":
            releases = (each for each in said.published(nodes) if each.id == id_)
            return next((said.release(nodes, each) for each in releases), None)
        case "IC" | "PRRC" | "CC":
            comments, shape = {
                "IC": (place.comments, said.comment),
                "PRRC": (place.line_comments, said.line_comment),
                "CC": (place.commit_comments, said.commit_comment),
            }[prefix]
            return next((shape(nodes, each) for each in comments if each.id == id_), None)
    return None


def _told(error: GraphQLError) -> dict[str, Any]:
    """An error as GitHub writes it: its type is a member of its own."""
    kind = (error.extensions or {}).get("type")
    told: dict[str, Any] = {"type": kind} if kind else {}
    if error.path is not None:
        told["path"] = error.path
    if error.locations:
        told["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    return told | {"message": error.message}


def _operations(document: DocumentNode) -> list[OperationDefinitionNode]:
    return [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]


def _price(document: DocumentNode, variables: Variables, operation: str | None) -> Priced:
    """Requests that the lists need if each were full, a hundred to the point, at least one.

    That is the rule of GitHub's documentation on the limits of GraphQL.
    """
    fragments = {
        d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)
    }
    nodes = requests = 0

    def fields(selections: SelectionSetNode | None) -> Iterable[FieldNode]:
        for each in selections.selections if selections else ():
            if isinstance(each, FieldNode):
                yield each
            elif isinstance(each, FragmentSpreadNode):
                yield from fields(fragments[each.name.value].selection_set)
            else:
                yield from fields(getattr(each, "selection_set", None))

    def visit(selections: SelectionSetNode | None, times: int) -> None:
        nonlocal nodes, requests
        for each in fields(selections):
            size, listed = _size(each, {**defaults, **variables})
            if listed:
                requests += times
            nodes += times * size if size != 1 or listed else 0
            visit(each.selection_set, times * size)

    for definition in _operations(document):
        if operation is None or (definition.name and definition.name.value == operation):
            defaults = {
                v.variable.name.value: value_from_ast_untyped(v.default_value)
                for v in definition.variable_definitions or ()
                if v.default_value
            }
            visit(definition.selection_set, 1)
    return Priced(nodes, max(1, round(requests / 100)))


def _size(field: FieldNode, variables: Variables) -> tuple[int, bool]:
    """How many objects a field may return, and whether it is a paged list."""
    found = {a.name.value: a.value for a in field.arguments or ()}
    for word in ("first", "last", "ids"):
        if word in found:
            value = found[word]
            asked = (
                variables.get(value.name.value)
                if isinstance(value, VariableNode)
                else value_from_ast_untyped(value, dict(variables))
            )
            if asked is not None:
                return (len(asked), False) if word == "ids" else (int(asked), True)
    return 1, False
