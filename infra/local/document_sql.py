"""Queries of documents as SQL, and fields as the JSON text that SQLite compares."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from infra.document_rules import MAX_DEPTH, MAX_IN_VALUES, check_name, value_bytes
from shared.errors import Rejected
from shared.ports import Document, Fields, Json, Query

COLUMNS = "collection, id, changed, fields, body"
_OPERATORS = {"==": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


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


def statement(query: Query) -> tuple[str, dict[str, object]]:
    """The SQL of a query and its parameters; only constant text ever becomes SQL.

    It yields one row more than ``limit`` where there is a next page.
    """
    if query.limit < 1:
        raise Rejected("A query's limit is at least 1.")
    parameters: dict[str, object] = {
        "collection": check_name(query.collection, "collection"),
        "limit": query.limit + 1,
    }
    conditions = ["collection = :collection"]
    for number, (field, operator, value) in enumerate(query.where):
        parameters[f"path{number}"] = _json_path(field)
        conditions.append(_condition(f"{number}", operator, value, parameters))
    choices = (len(value) for _, _, value in query.where if isinstance(value, list))
    if math.prod(choices) > MAX_IN_VALUES:
        raise Rejected(f"All 'in' of a query together make at most {MAX_IN_VALUES} combinations.")
    keys = ["id"]
    if query.order_by is not None:
        parameters["order"] = _json_path(query.order_by)
        keys = [_rank_of("order"), _value_of("order"), "id"]
        conditions.append("json_type(fields, :order) IS NOT NULL")
    if query.after is not None:
        conditions.append(_after(query, keys, parameters))
    direction = " DESC" if query.descending else ""
    order = ", ".join(key + direction for key in keys)
    # Sorting row numbers and fetching the page afterwards keeps bodies out of the sort.
    sql = (
        f"SELECT {COLUMNS} FROM documents WHERE rowid IN ("  # noqa: S608
        f"SELECT rowid FROM documents WHERE {' AND '.join(conditions)} "
        f"ORDER BY {order} LIMIT :limit) ORDER BY {order}"
    )
    return sql, parameters


def _condition(name: str, operator: str, value: Json, parameters: dict[str, object]) -> str:
    if operator == "in":
        if not isinstance(value, list) or not 0 < len(value) <= MAX_IN_VALUES:
            raise Rejected(f"'in' takes a list of 1 to {MAX_IN_VALUES} values.")
        if None in value:
            raise Rejected("'in' does not find null. Ask for it with ==.")
        terms = [
            _comparison(name, "=", item, f"{name}_{place}", parameters)
            for place, item in enumerate(value)
        ]
        return f"({' OR '.join(terms)})"
    if operator not in _OPERATORS or (value is None and operator != "=="):
        raise Rejected(f"{operator!r} cannot compare with {value!r}.")
    return _comparison(name, _OPERATORS[operator], value, name, parameters)


def _comparison(
    path: str, operator: str, value: Json, name: str, parameters: dict[str, object]
) -> str:
    if isinstance(value, list | dict):
        raise Rejected("A query compares with null, booleans, numbers and text only.")
    value_bytes(value, 0)
    parameters[f"rank{name}"] = _rank(value)
    parameters[f"value{name}"] = to_stored(value)
    return (
        f"({_rank_of(f'path{path}')} = :rank{name} "
        f"AND {_value_of(f'path{path}')} {operator} {_operand(f'value{name}')})"
    )


def _json_path(field: str) -> str:
    if not _FIELD.fullmatch(field):
        raise Rejected(f"{field[:80]!r} is not a field's name.")
    return "$" + "".join(f'."{part}"' for part in field.split("."))


def _rank_of(path: str) -> str:
    return (
        f"CASE json_type(fields, :{path}) WHEN 'null' THEN 0 WHEN 'false' THEN 1 "
        "WHEN 'true' THEN 1 WHEN 'integer' THEN 2 WHEN 'real' THEN 2 WHEN 'text' THEN 3 "
        "WHEN 'array' THEN 4 ELSE 5 END"
    )


def _value_of(path: str) -> str:
    # NULL would make every comparison unknown; null's rank already sets it apart.
    return f"coalesce(json_extract(fields, :{path}), 0)"


def _operand(name: str) -> str:
    # Operands are read from JSON like what is stored, so that both are rounded alike.
    return f"coalesce(json_extract(:{name}, '$'), 0)"


def _rank(value: Json) -> int:
    """The place of a value's type in the order of values."""
    ranks = ((type(None), 0), (bool, 1), (int | float, 2), (str, 3), (list, 4))
    return next((rank for kind, rank in ranks if isinstance(value, kind)), 5)


def cursor(query: Query, last: Document) -> str:
    value: Any = None
    if query.order_by is not None:
        value = last.fields
        for part in query.order_by.split("."):
            value = value[part]
    text = json.dumps([query.collection, query.order_by, query.descending, value, last.id])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _after(query: Query, keys: Sequence[str], parameters: dict[str, object]) -> str:
    try:
        decoded = json.loads(base64.b64decode(query.after or "", altchars=b"-_", validate=True))
        collection, order_by, descending, value, id_ = decoded
        value_bytes(value, MAX_DEPTH)
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise Rejected("This is not a cursor of a query.") from error
    asked = (query.collection, query.order_by, query.descending)
    if (collection, order_by, descending) != asked or not isinstance(id_, str):
        raise Rejected("This cursor belongs to another query.")
    check_name(id_, "document id")
    parameters["after_id"] = id_
    places = [":after_id"]
    if query.order_by is not None:
        parameters |= {"after_rank": _rank(value), "after_value": to_stored(value)}
        places = [":after_rank", _operand("after_value"), ":after_id"]
    return f"({', '.join(keys)}) {'<' if query.descending else '>'} ({', '.join(places)})"
