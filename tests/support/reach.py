"""What a function needs of the outside, found by following names through the code.

Names are followed wherever they are mentioned, called or not, so this finds too much rather than
too little: a function that is handed on counts as called.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_PORTS = {"documents", "warehouse", "tasks", "events", "archive", "blobs", "boards", "publisher"}
_REGISTERED: dict[str, tuple[str, ...]] = {
    "api": ("functions.api", "functions.dashboard", "functions.outside", "functions.live_routes"),
    "stream_logs": ("functions.live_routes",),
}
"""The modules whose endpoints a function serves."""

_OVER_DOCUMENTS = {"boards", "publisher"}
"""Services that keep nothing but documents."""


@dataclass
class Module:
    """A module's definitions by name, and what its imports stand for: module, name in it."""

    tree: ast.Module
    definitions: dict[str, ast.AST] = field(default_factory=dict)
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)


@cache
def modules() -> dict[str, Module]:
    """The modules of ``shared`` and ``functions`` by their dotted names."""
    found = {}
    for folder in ("shared", "functions"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = _module(ast.parse(path.read_text(encoding="utf-8")))
    return found


def _module(tree: ast.Module) -> Module:
    module = Module(tree)
    for node in tree.body:
        match node:
            case ast.FunctionDef() | ast.ClassDef():
                module.definitions[node.name] = node
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                module.definitions[name] = node
            case ast.ImportFrom(module=str(origin), names=names):
                for alias in names:
                    module.imports[alias.asname or alias.name] = (origin, alias.name)
            case _:
                pass
    return module


@cache
def needs(function: str) -> frozenset[str]:
    """Calls of ports, as ``port.verb``, with the topic behind ``events.publish``."""
    found: set[str] = set()
    for origin, name in reached(function):
        module = modules()[origin]
        if name in module.definitions:
            found |= set(_ports(module.definitions[name], module))
    return frozenset(found)


@cache
def reached(function: str) -> frozenset[tuple[str, str]]:
    """What it may come to, as module and name."""
    origin, name = _module_of_main().imports[function]
    assert name is not None
    todo: list[tuple[str, str]] = [(origin, name)]
    # What is registered by itself is named nowhere.
    todo += [
        (module, defined)
        for module, content in modules().items()
        if module.startswith(_REGISTERED.get(function, ()))
        for defined in content.definitions
    ]
    seen: set[tuple[str, str]] = set()
    while todo:
        place = todo.pop()
        if place in seen or place[0] not in modules():
            continue
        seen.add(place)
        module = modules()[place[0]]
        node = module.definitions.get(place[1])
        if node is None:
            if place[1] in module.imports:
                todo += _targets(module.imports[place[1]])
            continue
        todo += [target for name in _mentioned(node) for target in _resolve(name, place[0])]
    return frozenset(seen)


@cache
def _module_of_main() -> Module:
    return _module(ast.parse((ROOT / "main.py").read_text(encoding="utf-8")))


def _mentioned(node: ast.AST) -> Iterator[tuple[str, str | None]]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name):
            yield inner.value.id, inner.attr
        elif isinstance(inner, ast.Name):
            yield inner.id, None


def _resolve(name: tuple[str, str | None], here: str) -> list[tuple[str, str]]:
    first, second = name
    module = modules()[here]
    if first in module.imports:
        origin, imported = module.imports[first]
        if f"{origin}.{imported}" in modules():
            return [(f"{origin}.{imported}", second)] if second else []
        return _targets((origin, imported))
    return [(here, first)] if first in module.definitions else []


def _targets(imported: tuple[str, str | None]) -> list[tuple[str, str]]:
    origin, name = imported
    return [(origin, name)] if name else []


def _ports(node: ast.AST, module: Module) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and inner.attr in _OVER_DOCUMENTS:
            yield "documents.any"
        if not (isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Attribute)):
            continue
        port = inner.value.attr
        if port in _PORTS - _OVER_DOCUMENTS and inner.attr != "publish":
            yield f"{port}.{inner.attr}"
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and ast.unparse(inner.func).endswith("events.publish"):
            yield f"events.publish {_constant(inner.args[0], module)}"


def _constant(node: ast.expr, module: Module) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.Name), ast.unparse(node)
    origin, name = module.imports[node.id]
    definition = modules()[origin].definitions[name or node.id]
    assert isinstance(definition, ast.Assign)
    return str(ast.literal_eval(definition.value))
