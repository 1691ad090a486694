"""Cuts GitHub's published schemas down to what the stand-in answers.

To make them anew, for another version or more fields (``kept.txt``), unpack the npm packages
``@octokit/graphql-schema`` and ``@octokit/openapi``, and

    python -m tests.support.github_schema.prune PATH/schema.graphql PATH/api.github.com.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    NamedTypeNode,
    Node,
    TypeNode,
    Visitor,
    parse,
    print_ast,
    visit,
)

from tests.support.github_schema import FOLDER

PLAIN = {"EnumTypeDefinitionNode", "ScalarTypeDefinitionNode", "InputObjectTypeDefinitionNode"}

OPERATIONS = {
    "/app/installations/{installation_id}/access_tokens": "post",
    "/orgs/{org}/repos": "get",
    "/rate_limit": "get",
    "/repos/{owner}/{repo}": "get",
    "/repos/{owner}/{repo}/comments": "get",
    "/repos/{owner}/{repo}/compare/{basehead}": "get",
    "/repos/{owner}/{repo}/issues/comments": "get",
    "/repos/{owner}/{repo}/pulls/comments": "get",
    "/repos/{owner}/{repo}/releases": "get",
    "/users/{username}": "get",
    "/users/{username}/social_accounts": "get",
}

_TOLD = {"description", "example", "examples", "externalDocs", "summary", "tags", "x-github"}


@cache
def kept() -> Mapping[str, frozenset[str]]:
    """The fields, members or values of each type that are kept; ``*`` stands for all.

    ``(arguments)`` are those of fields that the stand-in heeds.
    """
    lines = (FOLDER / "kept.txt").read_text(encoding="utf-8").splitlines()
    return {name: frozenset(fields) for name, *fields in map(str.split, lines)}


def graphql(document: DocumentNode) -> str:
    """The kept part of a schema. Connections and what they are made of follow their nodes."""
    wanted, types = kept(), {d.name.value: d for d in document.definitions if hasattr(d, "name")}
    used = {
        name
        for name in wanted
        if name in types and type(types[name]).__name__ == "ObjectTypeDefinitionNode"
    }
    while True:
        cut = {name: _cut(types[name], wanted, types) for name in used}
        found = {n for each in cut.values() for n in _named(each) if n in types} | used
        if found == used:
            return "\n\n".join(print_ast(cut[name]) for name in sorted(cut)) + "\n"
        used = found


def _cut(definition: Any, wanted: Mapping[str, frozenset[str]], types: Mapping[str, Any]) -> Any:
    allowed = wanted.get(definition.name.value, frozenset("*"))

    def stays(node: Any) -> bool:
        if "*" not in allowed and node.name.value not in allowed:
            return False
        name = _name(node.type) if hasattr(node, "type") else ""
        kind = type(types[name]).__name__ if name in types else ""
        return name in wanted or kind in PLAIN or name.endswith(("Connection", "Edge")) or not kind

    def bare(node: Any) -> Any:
        changes = {"description": None, "directives": ()}
        if hasattr(node, "arguments"):
            heeded = [a for a in node.arguments or () if a.name.value in kept()["(arguments)"]]
            changes["arguments"] = tuple(map(bare, heeded))
        return replace(node, **changes)

    changes: dict[str, Any] = {}
    for part in ("fields", "values"):
        if hasattr(definition, part):
            changes[part] = tuple(bare(n) for n in getattr(definition, part) or () if stays(n))
    if hasattr(definition, "interfaces"):
        changes["interfaces"] = tuple(
            named for named in definition.interfaces or () if named.name.value in wanted
        )
    if hasattr(definition, "types"):
        changes["types"] = tuple(n for n in definition.types or () if n.name.value in allowed)
    return replace(bare(definition), **changes)


def _name(node: TypeNode) -> str:
    return node.name.value if isinstance(node, NamedTypeNode) else _name(node.type)  # type: ignore[attr-defined]


def _named(node: Node) -> Iterable[str]:
    found: set[str] = set()

    class Names(Visitor):
        def enter_named_type(self, named: NamedTypeNode, *_: Any) -> None:
            found.add(named.name.value)

    visit(node, Names())
    return found


def openapi(document: Mapping[str, Any]) -> dict[str, Any]:
    """The kept operations of a description, and what they refer to, without what is told of it."""
    paths = {
        path: {method: _quiet(document["paths"][path][method])}
        for path, method in OPERATIONS.items()
    }
    components: dict[str, dict[str, Any]] = {}
    waiting = [paths]
    while waiting:
        for reference in _references(waiting.pop()):
            _, _, group, name = reference.split("/")
            if name not in components.setdefault(group, {}):
                components[group][name] = _quiet(document["components"][group][name])
                waiting.append(components[group][name])
    return {
        "openapi": document["openapi"],
        "info": {key: document["info"][key] for key in ("title", "version", "license")},
        "paths": paths,
        "components": components,
    }


def _quiet(value: Any, names: bool = False) -> Any:
    """A value without descriptions. ``names``: its keys are names of properties, not keywords."""
    if isinstance(value, list):
        return [_quiet(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _quiet(each, key in {"properties", "responses", "content"} and not names)
        for key, each in value.items()
        if names or not (key in _TOLD or key.startswith("x-"))
    }


def _references(value: Any) -> Iterable[str]:
    if isinstance(value, list):
        for each in value:
            yield from _references(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key == "$ref" and isinstance(each, str):
                yield each
            else:
                yield from _references(each)


if __name__ == "__main__":
    schema, description = map(Path, sys.argv[1:])
    (FOLDER / "schema.graphql").write_text(
        graphql(parse(schema.read_text(encoding="utf-8"), no_location=True)), encoding="utf-8"
    )
    made = openapi(json.loads(description.read_text(encoding="utf-8")))
    (FOLDER / "openapi.json").write_text(
        json.dumps(made, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8"
    )
