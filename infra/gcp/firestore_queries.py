"""Queries as Firestore takes them."""

from __future__ import annotations

from typing import Any

from google.cloud.firestore_v1 import types

from infra.document_queries import check_query
from infra.gcp.firestore_values import Place, encode
from shared.ports import Json, Query

_ID = "__name__"
_MOST = 2**31 - 1
_ASCENDING = types.StructuredQuery.Direction.ASCENDING
_DESCENDING = types.StructuredQuery.Direction.DESCENDING
_IS_NULL = types.StructuredQuery.UnaryFilter.Operator.IS_NULL
_AND = types.StructuredQuery.CompositeFilter.Operator.AND
_FIELD = types.StructuredQuery.FieldFilter.Operator
_OPERATORS = {
    "==": _FIELD.EQUAL,
    "<": _FIELD.LESS_THAN,
    "<=": _FIELD.LESS_THAN_OR_EQUAL,
    ">": _FIELD.GREATER_THAN,
    ">=": _FIELD.GREATER_THAN_OR_EQUAL,
    "in": _FIELD.IN,
}


def structured(query: Query, place: Place) -> Any:
    """The query for one document more than ``limit``: that one says whether there is a next page.

    Raises Rejected for a query that can never work.
    """
    after = check_query(query)
    message = types.StructuredQuery.pb()()
    message.from_.add().collection_id = query.collection
    if query.where:
        message.where.composite_filter.op = _AND
    for field, operator, value in query.where:
        _condition(message.where.composite_filter.filters.add(), field, operator, value)
    for field in filter(None, (query.order_by, _ID)):
        order = message.order_by.add()
        order.field.field_path = field
        order.direction = _DESCENDING if query.descending else _ASCENDING
    message.limit.value = min(query.limit + 1, _MOST)
    if after is not None:
        value, id_ = after
        if query.order_by is not None:
            encode(value, message.start_at.values.add())
        message.start_at.values.add().reference_value = place.name((query.collection, id_))
    return message


def _condition(message: Any, field: str, operator: str, value: Json) -> None:
    if value is None:
        message.unary_filter.field.field_path = field
        message.unary_filter.op = _IS_NULL
        return
    message.field_filter.field.field_path = field
    message.field_filter.op = _OPERATORS[operator]
    encode(value, message.field_filter.value)
