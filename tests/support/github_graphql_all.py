"""A query of all fields of a type, and an object of each type, to ask for everything."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
)

from tests.support.github_model import node_id
from tests.support.github_schema import graphql_schema
from tests.support.github_story import ENGINE, story

_ARGUMENTS = {
    "issue": "(number: 2)",
    "pullRequest": "(number: 1)",
    "ref": '(qualifiedName: "refs/heads/main")',
    "release": '(tagName: "v1.0")',
    "object": '(expression: "main")',
}


def everything(kind: str) -> str:
    """A query by ``$id`` of all fields of a type, of the plain ones two steps on."""
    told = f"... on {kind} {{ {_fields(graphql_schema().type_map[kind], 3)} }}"
    return f"query($id: ID!) {{ node(id: $id) {{ __typename {told} }} }}"


def _fields(type_: GraphQLNamedType, depth: int) -> str:
    """What to select of a type: of a union or interface, by each type that it can be."""
    if isinstance(type_, GraphQLUnionType | GraphQLInterfaceType):
        kinds = graphql_schema().get_possible_types(type_) if depth else ()
        several = (f"... on {each.name} {{ {_fields(each, 0)} }}" for each in kinds)
        return " ".join(["__typename", *several])
    assert isinstance(type_, GraphQLObjectType)
    told = (_field(name, field, depth) for name, field in type_.fields.items())
    return " ".join(["__typename", *told])


def _field(name: str, field: GraphQLField, depth: int) -> str:
    type_ = get_named_type(field.type)
    if is_leaf_type(type_):
        return _named(name, field)
    if not depth:
        return ""
    paged = "first" in field.args
    arguments = "(first: 2)" if paged else _ARGUMENTS.get(name, "") if field.args else ""
    return f"{name}{arguments} {{ {_fields(type_, depth - 1)} }}"


def _named(name: str, field: GraphQLField) -> str:
    """Under a name of its own by its type: types of a union disagree whether some can be null."""
    return f"{name}_{str(field.type).strip('!')}{'_' if '!' in str(field.type) else ''}: {name}"


@cache
def ids_of() -> Mapping[str, str]:
    """An id of each type of node in the small history."""
    told = story()
    engine = told.repositories[ENGINE]
    pull = engine.pull(1)
    return {
        "Repository": engine.node_id,
        "User": told.account("ana").node_id,
        "Bot": told.account("Copilot").node_id,
        "Organization": told.account("octo").node_id,
        "Ref": node_id("REF", ENGINE, "refs/heads/main"),
        "Commit": node_id("C", ENGINE, pull.shas[0]),
        "PullRequest": node_id("PR", ENGINE, pull.id),
        "Issue": node_id("I", ENGINE, engine.threads[2].id),
        "PullRequestReview": node_id("PRR", ENGINE, pull.reviews[0].id),
        "PullRequestReviewComment": node_id("PRRC", ENGINE, engine.line_comments[0].id),
        "IssueComment": node_id("IC", ENGINE, engine.comments[0].id),
        "CommitComment": node_id("CC", ENGINE, engine.commit_comments[0].id),
        "Release": node_id("RE", ENGINE, engine.releases[0].id),
    }
