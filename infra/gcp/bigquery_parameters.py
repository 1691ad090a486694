"""Values as BigQuery's named parameters, each with its type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from shared.errors import Rejected
from shared.parameter_types import PARAMETERS

Value = int | str | bool | date | datetime | None | Sequence[int] | Sequence[str]

_OWN: Mapping[str, str] = {
    "forgotten": "ARRAY<INT64>",
    "unit_revision": "STRING",
    "events_revisions": "ARRAY<STRING>",
    "github_events_revisions": "ARRAY<STRING>",
    "contributions_revisions": "ARRAY<STRING>",
    "standings_revisions": "ARRAY<STRING>",
    "kept": "ARRAY<STRING>",
    "before": "STRING",
    "removed_ids": "ARRAY<INT64>",
    "first_table": "STRING",
    "last_table": "STRING",
    "table_first": "DATE",
    "table_last": "DATE",
    "first_day": "DATE",
    "last_day": "DATE",
    "since": "TIMESTAMP",
    "dataset": "STRING",
    "most": "INT64",
}
_PYTHON: Mapping[str, tuple[type, ...]] = {
    "STRING": (str,),
    "INT64": (int,),
    "BOOL": (bool,),
    "TIMESTAMP": (datetime,),
    "DATE": (date,),
}


def query_parameters(values: Mapping[str, Value]) -> list[Any]:
    """The parameters in Google's form. Raises Rejected for a value that is not of its type.

    The type is the declared one of that name, else that of the value; null or an empty list under
    a name that is not declared shows none and is Rejected.
    """
    return [_parameter(name, value) for name, value in values.items()]


def _parameter(name: str, value: Value) -> Any:
    # Imported when used: a function that runs no statement starts without Google's library.
    from google.cloud.bigquery import ArrayQueryParameter, ScalarQueryParameter

    type_ = PARAMETERS.get(name) or _OWN.get(name) or type_of(name, value)
    element = type_.removeprefix("ARRAY<").removesuffix(">")
    if element != type_:
        values = [] if value is None else value
        if isinstance(values, str) or not isinstance(values, Sequence):
            raise _unfit(name, value, type_)
        for each in values:
            _check(name, each, element)
        return ArrayQueryParameter(name, element, list(values))
    if value is not None:
        _check(name, value, type_)
    scalar: Any = value
    return ScalarQueryParameter(name, type_, scalar)


def type_of(name: str, value: object) -> str:
    """The GoogleSQL type that a value shows."""
    match value:
        case bool():
            return "BOOL"
        case int():
            return "INT64"
        case str():
            return "STRING"
        case datetime():
            return "TIMESTAMP"
        case date():
            return "DATE"
        case [first, *_]:
            return f"ARRAY<{type_of(name, first)}>"
    raise Rejected(f"The parameter {name} has no type that its value shows: declare it.")


def _check(name: str, value: object, type_: str) -> None:
    fits = isinstance(value, _PYTHON[type_])
    if type_ == "INT64":
        fits = fits and not isinstance(value, bool) and -(2**63) <= int(str(value)) < 2**63
    if type_ == "DATE":
        fits = fits and not isinstance(value, datetime)
    if isinstance(value, datetime):
        fits = fits and value.tzinfo is not None
    if not fits:
        raise _unfit(name, value, type_)


def _unfit(name: str, value: object, type_: str) -> Rejected:
    return Rejected(f"The parameter {name} is {type_}, which {value!r:.100} is not.")
