"""What the code stores and asks for, found in its text: collections, queries, logged events."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from shared.jobs import FUNCTIONS

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("shared", "functions", "infra")

_PATH = re.compile(r"([a-z][a-z_]+)/")
_NOT_DOCUMENTS = {"application", "text", "image", "owner", "pallets", "projects", "tasks", "topics"}
"""What stands before a slash elsewhere: media types, names of resources, examples."""

_OUTSIDE = ("infra/sample", "infra/local", "functions/dashboard")
"""Texts with slashes that are no documents: invented payloads, HTTP and resource names."""


@dataclass(frozen=True)
class AskedFor:
    """A query: fields compared for equality, and the order. ``fields`` None: not to be told."""

    where: str
    collection: str
    equal: tuple[str, ...] | None
    order: str | None
    descending: bool


@cache
def _trees(*folders: str) -> tuple[tuple[str, ast.Module], ...]:
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return tuple(
        (str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))) for path in paths
    )


@cache
def collections() -> frozenset[str]:
    """The first parts of all document paths, and whatever is queried."""
    found = {query.collection for query in queries() if not query.collection.startswith("<")}
    for path, tree in _trees(*FOLDERS):
        if path.startswith(_OUTSIDE):
            continue
        for node in ast.walk(tree):
            text = node.values[0] if isinstance(node, ast.JoinedStr) and node.values else node
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                started = _PATH.match(text.value)
                if started and not re.search(r"[\s:.]", text.value):
                    found.add(started[1])
    return frozenset(found - _NOT_DOCUMENTS)


@cache
def queries() -> tuple[AskedFor, ...]:
    """Every ``Query(...)`` that is built."""
    found: list[AskedFor] = []
    for path, tree in _trees(*FOLDERS):
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "Query":
                    if ast.unparse(node.args[0]).endswith(".collection"):
                        continue  # the next page of a query that stands before
                    found += [_query(path, node, function)]
    return tuple(found)


def _query(path: str, node: ast.Call, function: ast.FunctionDef) -> AskedFor:
    given = dict(zip(("collection", "where", "order_by"), node.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    collection = _text(given["collection"])
    order = _text(given["order_by"]) if "order_by" in given else None
    equal = _equal(given["where"], function) if "where" in given else ()
    descending = "descending" in given and ast.literal_eval(given["descending"])
    return AskedFor(f"{path} {function.name}", collection, equal, order, descending)


def _equal(where: ast.expr, function: ast.FunctionDef) -> tuple[str, ...] | None:
    """The fields compared for equality, also where they stand in a variable of the function."""
    names = {n.id for n in ast.walk(where) if isinstance(n, ast.Name)} - {"tuple"}
    written = _conditions(where)
    for node in ast.walk(function):
        if written or not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(target, ast.Name) and target.id in names for target in targets):
            written = _conditions(node.value)
    unknown = any(f.startswith("<") and o in ("==", "in") for f, o in written)
    if unknown or (names and not written):
        return None
    return tuple(field for field, operator in written if operator in ("==", "in"))


def _conditions(node: ast.expr) -> list[tuple[str, str]]:
    return [
        (_text(inner.elts[0]), str(inner.elts[1].value))
        for inner in ast.walk(node)
        if isinstance(inner, ast.Tuple)
        and len(inner.elts) == 3
        and isinstance(inner.elts[1], ast.Constant)
    ]


def _text(node: ast.expr) -> str:
    """What a literal says; of anything else its own text in ``<>``."""
    return str(node.value) if isinstance(node, ast.Constant) else f"<{ast.unparse(node)}>"


@cache
def texts(*folders: str) -> frozenset[str]:
    """All literal texts of the code."""
    return frozenset(
        node.value
        for _, tree in _trees(*folders)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


@cache
def tasks() -> frozenset[str]:
    """The functions that some ``Task(...)`` names."""
    found: set[str] = set()
    for path, tree in _trees("shared", "functions"):
        bound = {
            node.targets[0].id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "Task"):
                continue
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            named = given["function"] if "function" in given else node.args[1]
            named = bound.get(named.id, named) if isinstance(named, ast.Name) else named
            if ast.unparse(named) == "FUNCTIONS[job.stage]":
                found |= set(FUNCTIONS.values())
            else:
                assert isinstance(named, ast.Constant), f"{path}: {ast.unparse(named)}"
                found.add(str(named.value))
    return frozenset(found)
