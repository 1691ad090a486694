"""Queries of documents as SQL, and fields as the JSON text that SQLite compares."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from infra.document_queries import Place, check_query
from shared.ports import Fields, Json, Query

COLUMNS = "collection, id, changed, fields, body"
_INDEXED = {"audit": "seal"}
"""By collection, the field that the store is asked for again and again among many documents: the
sweep looks for records without a seal every minute."""

_OPERATORS = {"==": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


# SQLite ends a JSON string at its first NUL, so strings are kept without, in the same order.
_WITHOUT_NUL = str.maketrans({"\0": "\1\1", "\1": "\1\2"})


def to_stored(value: Json | Fields) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=dict)
    if "\\u0000" in text or "\\u0001" in text:
        mapped = _map_text(json.loads(text), lambda part: part.translate(_WITHOUT_NUL))
        text = json.dumps(mapped, ensure_ascii=False, separators=(",", ":"))
    return text


def from_stored(text: str) -> Any:
    value = json.loads(text)
    if "\\u0001" in text:
        return _map_text(value, lambda part: part.replace("\1\1", "\0").replace("\1\2", "\1"))
    return value


def _map_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_map_text(item, change) for item in value]
    if isinstance(value, dict):
        return {key: _map_text(item, change) for key, item in value.items()}
    return value


def indexes() -> str:
    """The SQL that makes what finds documents by the indexed fields."""
    made = []
    for collection, field in _INDEXED.items():
        path = f"'{_json_path(field)}'"
        made.append(
            f"CREATE INDEX IF NOT EXISTS documents_{collection}_{field} ON documents "
            f"({_rank_of(path)}, {_value_of(path)}, id) WHERE collection = '{collection}';"
        )
    return "\n".join(made)


def statement(query: Query) -> tuple[str, dict[str, object]]:
    """The SQL of a query and its parameters; only constant text ever becomes SQL.

    It yields one row more than ``limit`` where there is a next page.
    """
    conditions, keys, parameters = _asked(query)
    parameters["limit"] = query.limit + 1
    direction = " DESC" if query.descending else ""
    order = ", ".join(key + direction for key in keys)
    # Sorting row numbers and fetching the page afterwards keeps bodies out of the sort.
    sql = (
        f"SELECT {COLUMNS} FROM documents WHERE rowid IN ("  # noqa: S608
        f"SELECT rowid FROM documents WHERE {' AND '.join(conditions)} "
        f"ORDER BY {order} LIMIT :limit) ORDER BY {order}"
    )
    return sql, parameters


def counting(query: Query) -> tuple[str, dict[str, object]]:
    """The SQL that counts what a query finds, up to its limit, and its parameters."""
    conditions, _, parameters = _asked(query)
    parameters["limit"] = query.limit
    sql = (
        "SELECT count(*) FROM ("  # noqa: S608
        f"SELECT 1 FROM documents WHERE {' AND '.join(conditions)} LIMIT :limit)"
    )
    return sql, parameters


def _asked(query: Query) -> tuple[list[str], list[str], dict[str, object]]:
    """A query's conditions, the keys of its order, and the parameters of both."""
    place = check_query(query)
    parameters: dict[str, object] = {"collection": query.collection}
    conditions = ["collection = :collection"]
    if query.collection in _INDEXED:
        # SQLite takes an index only for what is in the text, not for what is bound to it.
        conditions.append(f"collection = '{query.collection}'")
    for number, (field, operator, value) in enumerate(query.where):
        path = _path(query, field, f"path{number}", parameters)
        conditions.append(_condition(path, f"{number}", operator, value, parameters))
    keys = ["id"]
    if query.order_by is not None:
        path = _path(query, query.order_by, "order", parameters)
        keys = [_rank_of(path), _value_of(path), "id"]
        conditions.append(f"json_type(fields, {path}) IS NOT NULL")
    if place is not None:
        conditions.append(_after(query, place, keys, parameters))
    return conditions, keys, parameters


def _path(query: Query, field: str, name: str, parameters: dict[str, object]) -> str:
    """A field's path as it stands in the SQL: itself where it is indexed, else a parameter."""
    if _INDEXED.get(query.collection) == field:
        return f"'{_json_path(field)}'"
    parameters[name] = _json_path(field)
    return f":{name}"


def _condition(
    path: str, name: str, operator: str, value: Json, parameters: dict[str, object]
) -> str:
    if operator == "in" and isinstance(value, list):
        terms = [
            _comparison(path, "=", item, f"{name}_{place}", parameters)
            for place, item in enumerate(value)
        ]
        return f"({' OR '.join(terms)})"
    return _comparison(path, _OPERATORS[operator], value, name, parameters)


def _comparison(
    path: str, operator: str, value: Json, name: str, parameters: dict[str, object]
) -> str:
    parameters[f"rank{name}"] = _rank(value)
    parameters[f"value{name}"] = to_stored(value)
    return (
        f"({_rank_of(path)} = :rank{name} "
        f"AND {_value_of(path)} {operator} {_operand(f'value{name}')})"
    )


def _json_path(field: str) -> str:
    return "$" + "".join(f'."{part}"' for part in field.split("."))


def _rank_of(path: str) -> str:
    return (
        f"CASE json_type(fields, {path}) WHEN 'null' THEN 0 WHEN 'false' THEN 1 "
        "WHEN 'true' THEN 1 WHEN 'integer' THEN 2 WHEN 'real' THEN 2 WHEN 'text' THEN 3 "
        "WHEN 'array' THEN 4 ELSE 5 END"
    )


def _value_of(path: str) -> str:
    # NULL would make every comparison unknown; null's rank already sets it apart.
    return f"coalesce(json_extract(fields, {path}), 0)"


def _operand(name: str) -> str:
    # Operands are read from JSON like what is stored, so that both are rounded alike.
    return f"coalesce(json_extract(:{name}, '$'), 0)"


def _rank(value: Json) -> int:
    """The place of a value's type in the order of values."""
    ranks = ((type(None), 0), (bool, 1), (int | float, 2), (str, 3), (list, 4))
    return next((rank for kind, rank in ranks if isinstance(value, kind)), 5)


def _after(query: Query, place: Place, keys: Sequence[str], parameters: dict[str, object]) -> str:
    value, id_ = place
    parameters["after_id"] = id_
    places = [":after_id"]
    if query.order_by is not None:
        parameters |= {"after_rank": _rank(value), "after_value": to_stored(value)}
        places = [":after_rank", _operand("after_value"), ":after_id"]
    return f"({', '.join(keys)}) {'<' if query.descending else '>'} ({', '.join(places)})"
