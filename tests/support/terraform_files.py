"""The files of ``terraform/`` as values, and what is wrong with them by the provider's schema."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hcl2

FOLDER = Path(__file__).resolve().parents[2] / "terraform"

_META = {"for_each", "count", "depends_on", "provider"}
_META_BLOCKS = {"lifecycle", "provisioner", "connection"}
_REFERENCE = re.compile(
    r"(?<![\w.])(?P<data>data\.)?(?P<kind>google_\w+)\.(?P<name>\w+)(?:\[[^\]]*\])?(?:\.(?P<export>\w+))?"
)


@dataclass(slots=True)
class Block:
    """What stands between braces: ``name = value`` lines, and further blocks by name.

    Values are Python's for literals, and Terraform's own text in ``${}`` for expressions.
    ``conditions`` are what its dynamic blocks run over; they stand in ``blocks`` like others.
    """

    attributes: dict[str, Any] = field(default_factory=dict)
    blocks: list[tuple[str, Block]] = field(default_factory=list)
    conditions: list[Any] = field(default_factory=list)

    def only(self, name: str) -> Block:
        """The one block of that name."""
        (found,) = [block for of, block in self.blocks if of == name]
        return found

    def text(self) -> Iterator[str]:
        """All text in it, at any depth."""
        yield from _text([*self.attributes.values(), *self.conditions])
        for _, block in self.blocks:
            yield from block.text()


@dataclass(slots=True)
class Terraform:
    """A folder of Terraform files. Resources are by (kind, name), data sources as ``data.kind``."""

    resources: dict[tuple[str, str], Block] = field(default_factory=dict)
    variables: dict[str, Block] = field(default_factory=dict)
    outputs: dict[str, Block] = field(default_factory=dict)
    locals: dict[str, Any] = field(default_factory=dict)
    settings: list[Block] = field(default_factory=list)
    providers: list[Block] = field(default_factory=list)

    def text(self, *, without: str | None = None) -> str:
        """All expressions in one text, but for those of the variable ``without``."""
        variables = [block for name, block in self.variables.items() if name != without]
        blocks = (*self.resources.values(), *variables, *self.outputs.values(), *self.providers)
        pieces = [piece for block in blocks for piece in block.text()]
        return "\n".join([*pieces, *_text(self.locals)])

    def of(self, kind: str) -> Mapping[str, Block]:
        """The resources of a kind by name."""
        return {name: block for (of, name), block in self.resources.items() if of == kind}


def parsed(folder: Path = FOLDER) -> Terraform:
    """All files of a folder."""
    return parse(
        "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.tf")))
    )


def parse(text: str) -> Terraform:
    """Terraform's language as values. Raises what the parser raises."""
    raw = hcl2.load(io.StringIO(text))
    found = Terraform()
    for section, prefix in (("resource", ""), ("data", "data."), ("ephemeral", "ephemeral.")):
        for kind, name, block in _labelled(raw.get(section, [])):
            assert (prefix + kind, name) not in found.resources, (kind, name)
            found.resources[prefix + kind, name] = block
    for section, into in (("variable", found.variables), ("output", found.outputs)):
        for entry in raw.get(section, []):
            for label, body in entry.items():
                into[_plain(label)] = _block(body)
    for entry in raw.get("locals", []):
        found.locals |= _block(entry).attributes
    found.providers = [_block(body) for entry in raw.get("provider", []) for body in entry.values()]
    found.settings = [_block(entry) for entry in raw.get("terraform", [])]
    return found


def kinds(terraform: Terraform) -> set[str]:
    """The kinds of Google's resources and data sources that are used."""
    return {
        kind for kind, _ in terraform.resources if kind.removeprefix("data.").startswith("google_")
    }


def problems(terraform: Terraform, schema: Mapping[str, Any]) -> list[str]:
    """Unknown, missing and misplaced arguments, and references to what is not there."""
    found: list[str] = []
    for (kind, name), block in terraform.resources.items():
        if kind.removeprefix("data.").startswith("google_"):
            known = schema["resources"].get(kind)
            where = f"{kind}.{name}"
            found += _against(block, known, where) if known else [f"{where}: unknown kind"]
    return found + _dangling(terraform, schema)


def _against(block: Block, known: Mapping[str, Any], where: str, *, root: bool = True) -> list[str]:
    found = [
        f"{where}: there is no argument {name}"
        for name in block.attributes
        if name not in known["attributes"] and not (root and name in _META)
    ]
    given = {name for name, _ in block.blocks}
    found += [
        f"{where}: argument {name} is missing"
        for name, required in known["attributes"].items()
        if required and name not in block.attributes
    ]
    found += [
        f"{where}: block {name} is missing"
        for name, inner in known["blocks"].items()
        if inner["required"] and name not in given
    ]
    for name, inner_block in block.blocks:
        if root and name in _META_BLOCKS:
            continue
        if name not in known["blocks"]:
            found.append(f"{where}: there is no block {name}")
            continue
        found += _against(inner_block, known["blocks"][name], f"{where}.{name}", root=False)
    return found


def _dangling(terraform: Terraform, schema: Mapping[str, Any]) -> list[str]:
    text = terraform.text()
    found = []
    for match in _REFERENCE.finditer(text):
        kind = f"{match['data'] or ''}{match['kind']}"
        if (kind, match["name"]) not in terraform.resources:
            found.append(f"{kind}.{match['name']} is referred to and not there")
        elif match["export"] and match["export"] not in schema["resources"][kind]["exports"]:
            found.append(f"{kind}.{match['name']} has no {match['export']}")
    for what, names in (("var", terraform.variables), ("local", terraform.locals)):
        used = set(re.findall(rf"(?<![\w.]){what}\.(\w+)", text))
        found += [f"{what}.{name} is used and not there" for name in sorted(used - names.keys())]
        found += [
            f"{what}.{name} is never used"
            for name in names
            if not re.search(rf"(?<![\w.]){what}\.{name}\b", terraform.text(without=name))
        ]
    return found


def _labelled(entries: list[Any]) -> Iterator[tuple[str, str, Block]]:
    for entry in entries:
        for kind, named in entry.items():
            for name, body in named.items():
                yield _plain(kind), _plain(name), _block(body)


def _block(body: Mapping[str, Any]) -> Block:
    block = Block()
    for key, value in body.items():
        if key.startswith("__"):
            continue
        if key == "dynamic":
            for entry in value:
                for label, inner in entry.items():
                    block.blocks.append((_plain(label), _block(inner["content"][0])))
                    block.conditions.append(_value(inner["for_each"]))
        elif isinstance(value, list) and value and all(_is_block(each) for each in value):
            block.blocks += [(key, _block(each)) for each in value]
        else:
            block.attributes[_plain(key)] = _value(value)
    return block


def _is_block(value: object) -> bool:
    return isinstance(value, dict) and "__is_block__" in value


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return _plain(value)
    if isinstance(value, list):
        return [_value(each) for each in value]
    if isinstance(value, dict):
        return {
            _plain(key): _value(each) for key, each in value.items() if not key.startswith("__")
        }
    return value


def _plain(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _text(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _text(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield str(key)
            yield from _text(each)
