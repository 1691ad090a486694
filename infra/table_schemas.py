"""Write the BigQuery schemas that Terraform and gcloud create tables from.

``python -m infra.table_schemas`` puts them into ``terraform/schemas/``; a test holds them against
the code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from infra.gcp.table_definitions import TABLES

FOLDER = Path(__file__).resolve().parent.parent / "terraform" / "schemas"


def files() -> Mapping[str, str]:
    """The text of each file by its name: the columns of every table, and how it is laid out."""
    schemas = {
        f"{name}.json": _json([dict(column) for column in table.schema])
        for name, table in sorted(TABLES.items())
    }
    layouts = {
        name: {
            "description": table.description,
            "partition_by": table.partition_by,
            "cluster_by": list(table.cluster_by),
        }
        for name, table in sorted(TABLES.items())
    }
    return schemas | {"tables.json": _json(layouts)}


def write(folder: Path = FOLDER) -> None:
    """Make the files anew. Those of tables that are gone are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.json"):
        old.unlink()
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"


if __name__ == "__main__":
    write()
