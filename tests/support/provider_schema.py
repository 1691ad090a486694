"""What arguments the resources of Terraform's google provider take.

The provider itself cannot be had without a network, and the package that carries its schema has
234 MB, so the part that is used is kept in ``provider_schema.json``. To make it anew, for another
version of the provider or other resources:

    pip install --no-deps --target FOLDER cdktn-provider-google==VERSION
    python -m tests.support.provider_schema FOLDER

Only names and whether they are required are taken; the package is under the Mozilla Public Licence
2.0, which the file names.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_suffix(".json")

_INTERFACE = re.compile(r"export interface (\w+)[^{]*\{(.*?)\n\}", re.DOTALL)
_PROPERTY = re.compile(
    r"/\*\*(?P<doc>(?:(?!\*/).)*)\*/\s*readonly \w+(?P<optional>\??): (?P<type>[^;]+);", re.DOTALL
)
_NAME = re.compile(r"#(\w+) ")
_GETTER = re.compile(r"^    get (\w+)\(\)", re.MULTILINE)


def schema_of(declarations: str) -> dict[str, Any]:
    """The schema of one resource, from the declarations of its TypeScript module."""
    interfaces = dict(_INTERFACE.findall(declarations))
    (root,) = [
        name for name in interfaces if name.endswith("Config") and _is_root(declarations, name)
    ]
    found = _body(interfaces[root], interfaces)
    resource_class = declarations[declarations.rindex("extends cdktn.Terraform") :]
    names = {_snake(name) for name in _GETTER.findall(resource_class)}
    found["exports"] = sorted(name for name in names if not name.endswith("_input"))
    return found


def _is_root(declarations: str, name: str) -> bool:
    return f"export interface {name} extends cdktn.TerraformMetaArguments" in declarations


def _body(text: str, interfaces: Mapping[str, str]) -> dict[str, Any]:
    attributes: dict[str, bool] = {}
    blocks: dict[str, Any] = {}
    for match in _PROPERTY.finditer(text):
        named = _NAME.search(match["doc"])
        if named is None:
            continue
        name, required = named[1], not match["optional"]
        type_ = match["type"].split("|")[0].strip()
        if re.search(rf"^\s*\* {name} block\s*$", match["doc"], re.MULTILINE):
            inner = _body(interfaces.get(type_.removesuffix("[]"), ""), interfaces)
            blocks[name] = {"required": required, "many": type_.endswith("[]"), **inner}
        else:
            attributes[name] = required
    return {"attributes": dict(sorted(attributes.items())), "blocks": dict(sorted(blocks.items()))}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def extract(package: Path, kinds: Iterable[str]) -> dict[str, Any]:
    """The schema of some resources (``data.`` before those of data sources) from a package."""
    (archive,) = package.rglob("*.jsii.tgz")
    with tarfile.open(archive) as tar:
        files = {
            member.name.split("/")[-2]: member
            for member in tar
            if member.name.endswith("/index.d.ts")
        }
        found: dict[str, Any] = {}
        version = ""
        for kind in sorted(set(kinds)):
            folder = kind.removeprefix("data.").removeprefix("google_").replace("_", "-")
            member = files["data-google-" + folder if kind.startswith("data.") else folder]
            text = io.TextIOWrapper(tar.extractfile(member) or io.BytesIO(), "utf-8").read()
            found[kind] = schema_of(text)
            version = re.findall(r"hashicorp/google/([\d.]+)/docs", text)[0]
    return {
        "about": f"Arguments of resources of hashicorp/google {version}, taken from "
        f"{archive.name.split('.jsii')[0]} (PyPI cdktn-provider-google) by "
        "tests/support/provider_schema.py.",
        "licence": "MPL-2.0",
        "provider": version,
        "resources": found,
    }


def load() -> dict[str, Any]:
    """The schema that is kept."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    from tests.support.terraform_files import kinds, parsed

    made = extract(Path(sys.argv[1]), kinds(parsed()))
    FILE.write_text(
        json.dumps(made, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8"
    )
