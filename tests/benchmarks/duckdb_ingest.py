"""DuckDB's ``read_json`` unpacking the same fields, in the ways that were found to be fast."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb

from shared.archive_fields import FIELDS, TRACKED_TYPES, Field

_TYPES = {"STRING": "VARCHAR", "INT64": "BIGINT", "BOOL": "BOOLEAN", "TIMESTAMP": "TIMESTAMPTZ"}
_COUNTED = next(field for field in FIELDS if field.counts)

Tree = dict[str, "Tree | str"]


def unpack(way: str, file: Path, folder: Path) -> int:
    """Unpack ``file`` into ``folder`` and say how many rows there are.

    ``way`` is struct or paths, then parquet or table: the payload decoded into a typed STRUCT, or
    kept as text and read by one list of paths; stored as a Parquet file, or as a DuckDB table.
    The number of threads may follow (2 if not).
    """
    extraction, storage, threads = (*way.split("-"), "2")[:3]
    query = _struct_query(file) if extraction == "struct" else _paths_query(file)
    with duckdb.connect(folder / "facts.duckdb", config={"threads": int(threads)}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET preserve_insertion_order = false")
        if storage == "table":
            connection.execute(f"CREATE TABLE events AS {query}")
            connection.execute("CHECKPOINT")
            stored = "events"
        else:
            stored = f"'{folder}/events.parquet'"
            connection.execute(
                f"COPY ({query}) TO {stored}"
                " (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
            )
        (rows,) = connection.execute(f"SELECT count(*) FROM {stored}").fetchall()[0]
    return int(rows)


def _read(file: Path, columns: Mapping[str, str]) -> str:
    named = ", ".join(f"{name}: '{type_}'" for name, type_ in columns.items())
    return (
        f"read_json('{file}', format = 'newline_delimited', columns = {{{named}}}, "
        "maximum_object_size = 16777216)"
    )


_TRACKED = ", ".join(f"'{name}'" for name in TRACKED_TYPES)
_BESIDES = {
    "id": "VARCHAR",
    "type": "VARCHAR",
    "created_at": "TIMESTAMPTZ",
    "actor": "STRUCT(id BIGINT, login VARCHAR)",
    "repo": "STRUCT(id BIGINT, name VARCHAR)",
}


def _struct_query(file: Path) -> str:
    tree: Tree = {}
    for field in FIELDS:
        for path in field.payload:
            *parents, last = path.split(".")
            here = tree
            for parent in parents:
                below = here.setdefault(parent, {})
                if isinstance(below, dict):
                    here = below
            here[last] = f'STRUCT("{field.counts}" BOOLEAN)[]' if field.counts else _type(field)
    columns = {**_BESIDES, "payload": _struct(tree)}
    chosen = ", ".join(f"{_from_struct(field)} AS {field.name}" for field in FIELDS)
    return f"SELECT {chosen} FROM {_read(file, columns)} WHERE type IN ({_TRACKED})"


def _type(field: Field) -> str:
    return _TYPES[field.type]


def _struct(tree: Tree) -> str:
    members = (
        f'"{name}" {_struct(below) if isinstance(below, dict) else below}'
        for name, below in tree.items()
    )
    return f"STRUCT({', '.join(members)})"


def _from_struct(field: Field) -> str:
    if field.row:
        return field.row
    if field.counts:
        entries = f"payload.{field.payload[0]}"
        return f'len(list_filter({entries}, lambda entry: entry."{field.counts}"))'
    tries = ", ".join(f"payload.{path}" for path in field.payload)
    return f"coalesce({tries})" if len(field.payload) > 1 else tries


def _paths_query(file: Path) -> str:
    paths = [path for field in FIELDS if not field.counts for path in field.payload]
    listed = ", ".join(f"'$.{path}'" for path in paths)
    counted = f"payload->'$.{_COUNTED.payload[0]}[*].{_COUNTED.counts}'"
    chosen = ", ".join(f"{_from_paths(field, paths)} AS {field.name}" for field in FIELDS)
    return (
        f"SELECT {chosen} FROM (SELECT *, json_extract_string(payload, [{listed}]) AS found, "
        f"CASE WHEN type = 'PushEvent' THEN {counted} END AS counted "
        f"FROM {_read(file, {**_BESIDES, 'payload': 'JSON'})} WHERE type IN ({_TRACKED}))"
    )


def _from_paths(field: Field, paths: list[str]) -> str:
    if field.row:
        return field.row
    if field.counts:
        return "len(list_filter(counted, lambda entry: entry = 'true'))"
    tries = ", ".join(f"found[{paths.index(path) + 1}]" for path in field.payload)
    return f"try_cast(coalesce({tries}, NULL) AS {_type(field)})"
