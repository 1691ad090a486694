"""Lines of an archive file become rows: quickly where they fit, patiently where they don't.

Everything here is made from ``shared.archive_fields.FIELDS``. The quick way decodes a line into
typed structs that hold only the members that are read. A line that does not fit them, be it by a
null where an object is expected or by a number too large, goes the patient way, which follows
``shared/extraction.py`` to the letter. Where both can read a line they agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from shared.archive_fields import FIELDS, ColumnType, Field
from shared.extraction import REQUIRED, safe_bool, safe_int64

Value = str | int | bool | None
Row = Mapping[str, Value]
"""A slim event by column. ``created_at`` is in microseconds since 1970."""


class Fault(StrEnum):
    """Why a line, or an object on it, gave no row."""

    NO_OBJECT = "no_object"
    """Not JSON: runs of NUL, XML error bodies, remains between objects."""
    MALFORMED = "malformed"
    """The beginning of an object that is cut off or spliced."""
    INCOMPLETE = "incomplete"
    """An object without one of the members that an archive event has."""
    TOO_LONG = "too_long"
    """Beyond ``archive_lines.LONGEST_LINE``."""
    TIMELINE = "timeline"
    """Follows the schema from before 2015. Counted apart, not as broken."""


# --- shapes: the members that are read -------------------------------------------------------

_INT64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_MEMBER_TYPES: Mapping[ColumnType, Any] = {
    "STRING": str,
    "INT64": _INT64,
    "BOOL": bool,
    "TIMESTAMP": str,
}


class Entry(msgspec.Struct, gc=False):
    """An entry of a counted array; its one member is named by the field table."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The members of a JSON object that are read: scalars, counted arrays, objects in it.

    ``quick`` is the struct they are decoded into, ``patient`` one that takes anything.
    """

    scalars: Mapping[str, ColumnType]
    counts: Mapping[str, str]
    objects: Mapping[str, Shape]
    quick: type[msgspec.Struct]
    patient: msgspec.json.Decoder[Any]


def _paths(field: Field) -> Iterable[str]:
    return (field.row,) if field.row else tuple(f"payload.{path}" for path in field.payload)


def _shape(name: str, leaves: Mapping[tuple[str, ...], Field]) -> Shape:
    """The shape whose leaves stand at these paths."""
    scalars: dict[str, ColumnType] = {}
    counts: dict[str, str] = {}
    below: dict[str, dict[tuple[str, ...], Field]] = {}
    members: list[Any] = []
    for (member, *rest), field in leaves.items():
        if rest:
            below.setdefault(member, {})[tuple(rest)] = field
        elif field.counts:
            counts[member] = field.counts
            entry = msgspec.defstruct("Entry", [(field.counts, bool | None, None)], gc=False)
            members.append((member, list[entry] | None, None))  # type: ignore[valid-type]
        else:
            scalars[member] = field.type
            type_ = _MEMBER_TYPES[field.type]
            required = field.name in REQUIRED
            members.append((member, type_) if required else (member, type_ | None, None))
    objects = {member: _shape(member, inner) for member, inner in below.items()}
    for member, shape in objects.items():
        if any(field.name in REQUIRED for field in below[member].values()):
            members.append((member, shape.quick))
        else:
            members.append((member, shape.quick, shape.quick()))
    raw = [(member, msgspec.Raw, msgspec.Raw(b"null")) for member, *_ in members]
    extra = [(_TIMELINE_MEMBER, msgspec.Raw, msgspec.Raw(b"null"))] if name == "row" else []
    return Shape(
        scalars,
        counts,
        objects,
        msgspec.defstruct(name, members, kw_only=True, frozen=True, gc=False),
        msgspec.json.Decoder(msgspec.defstruct(f"any_{name}", [*raw, *extra], kw_only=True)),
    )


_TIMELINE_MEMBER = "repository"

ROW = _shape("row", {tuple(path.split(".")): field for field in FIELDS for path in _paths(field)})
