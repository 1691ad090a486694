"""What a query of documents may ask, whoever answers it, and the cursors of its pages."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from typing import Any

from infra.document_rules import MAX_DEPTH, MAX_IN_VALUES, check_field_name, check_name, value_bytes
from shared.errors import Rejected
from shared.ports import Document, Json, Query

_OPERATORS = {"==", "<", "<=", ">", ">="}
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")

Place = tuple[Json, str]
"""Where a page ended: the value of the field that orders (None where the id does), and the id."""


def check_query(query: Query) -> Place | None:
    """The place after which a query goes on. Raises Rejected for one that can never work."""
    if query.limit < 1:
        raise Rejected("A query's limit is at least 1.")
    check_name(query.collection, "collection")
    for field, operator, value in query.where:
        _check_field(field)
        _check_condition(operator, value)
        if operator not in ("==", "in") and field != query.order_by:
            # Firestore orders by whatever is compared so, before it orders by id.
            raise Rejected(f"{operator!r} compares the field that orders only, not {field!r}.")
    choices = (len(value) for _, _, value in query.where if isinstance(value, list))
    if math.prod(choices) > MAX_IN_VALUES:
        raise Rejected(f"All 'in' of a query together make at most {MAX_IN_VALUES} combinations.")
    if query.order_by is not None:
        _check_field(query.order_by)
    elif query.descending:
        raise Rejected("Ids are read upwards only. Order by a field to read downwards.")
    return None if query.after is None else _place(query, query.after)


def cursor(query: Query, last: Document) -> str:
    """The cursor of the page after ``last``."""
    value: Any = None
    if query.order_by is not None:
        value = last.fields
        for part in query.order_by.split("."):
            value = value[part]
    text = json.dumps([query.collection, query.order_by, query.descending, value, last.id])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _place(query: Query, after: str) -> Place:
    try:
        decoded = json.loads(base64.b64decode(after, altchars=b"-_", validate=True))
        collection, order_by, descending, value, id_ = decoded
        value_bytes(value, MAX_DEPTH)
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise Rejected("This is not a cursor of a query.") from error
    asked = (query.collection, query.order_by, query.descending)
    if (collection, order_by, descending) != asked or not isinstance(id_, str):
        raise Rejected("This cursor belongs to another query.")
    return value, check_name(id_, "document id")


def _check_field(field: str) -> None:
    if not _FIELD.fullmatch(field):
        raise Rejected(f"{field[:80]!r} is not a field's name.")
    first, *inner = field.split(".")
    check_field_name(first, top=True)
    for part in inner:
        check_field_name(part)


def _check_condition(operator: str, value: Json) -> None:
    if operator == "in":
        if not isinstance(value, list) or not 0 < len(value) <= MAX_IN_VALUES:
            raise Rejected(f"'in' takes a list of 1 to {MAX_IN_VALUES} values.")
        if None in value:
            raise Rejected("'in' does not find null. Ask for it with ==.")
        for item in value:
            _check_operand(item)
        return
    if operator not in _OPERATORS or (value is None and operator != "=="):
        raise Rejected(f"{operator!r} cannot compare with {value!r}.")
    _check_operand(value)


def _check_operand(value: Json) -> None:
    if isinstance(value, list | dict):
        raise Rejected("A query compares with null, booleans, numbers and text only.")
    value_bytes(value, 0)
