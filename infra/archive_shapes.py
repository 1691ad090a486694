"""Which members of an archive row are read, as types to decode into: ``FIELDS`` as a tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from shared.archive_fields import FIELDS, ColumnType, Field
from shared.extraction import REQUIRED

TIMELINE_MEMBER = "repository"
"""What the schema from before 2015 has in place of ``repo``."""

_MEMBER_TYPES: Mapping[ColumnType, Any] = {
    "STRING": str,
    "INT64": Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)],
    "BOOL": bool,
    "TIMESTAMP": str,
}
_NULL = msgspec.Raw(b"null")

Leaves = Mapping[tuple[str, ...], Field]


@dataclass(frozen=True, slots=True)
class Counted:
    """A JSON array of which the entries are counted whose ``member`` is true.

    ``patient`` decodes an entry that is an object, whatever its members are.
    """

    member: str
    patient: msgspec.json.Decoder[Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """The members of a JSON object that are read: scalars, counted arrays, objects within.

    ``quick`` is a struct of exactly their types, ``absent`` the one that stands where there is
    none. ``patient`` decodes any object; it leaves the members as they are written
    (``msgspec.Raw``), and as ``null`` those that are missing.
    """

    scalars: Mapping[str, ColumnType]
    counts: Mapping[str, Counted]
    objects: Mapping[str, Shape]
    quick: type[msgspec.Struct]
    absent: msgspec.Struct | None
    patient: msgspec.json.Decoder[Any]


def paths(field: Field) -> tuple[str, ...]:
    """Where a column stands in an archive row, in the order to try."""
    return (field.row,) if field.row else tuple(f"payload.{path}" for path in field.payload)


def _shape(name: str, leaves: Leaves, *others: str) -> Shape:
    below: dict[str, dict[tuple[str, ...], Field]] = {}
    for (member, *rest), field in leaves.items():
        if rest:
            below.setdefault(member, {})[tuple(rest)] = field
    objects = {member: _shape(member, inner) for member, inner in below.items()}
    here = {path[0]: field for path, field in leaves.items() if len(path) == 1}
    quick = [_quick_member(member, field) for member, field in here.items()]
    for member, shape in objects.items():
        default = () if shape.absent is None else (shape.absent,)
        quick.append((member, shape.quick, *default))
    struct = msgspec.defstruct(name, quick, kw_only=True, frozen=True, gc=False)
    required = any(field.name in REQUIRED for field in leaves.values())
    return Shape(
        {member: field.type for member, field in here.items() if not field.counts},
        {member: _counted(field.counts) for member, field in here.items() if field.counts},
        objects,
        struct,
        None if required else struct(),
        _patient((*here, *objects, *others)),
    )


def _quick_member(member: str, field: Field) -> tuple[Any, ...]:
    if field.counts:
        entry = msgspec.defstruct("entry", [(field.counts, bool | None, None)], gc=False)
        return member, list[entry] | None, None  # type: ignore[valid-type]
    type_ = _MEMBER_TYPES[field.type]
    return (member, type_) if field.name in REQUIRED else (member, type_ | None, None)


def _counted(member: str) -> Counted:
    return Counted(member, _patient((member,)))


def _patient(members: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    struct = msgspec.defstruct("anything", [(member, msgspec.Raw, _NULL) for member in members])
    return msgspec.json.Decoder(struct)


ROW = _shape(
    "row",
    {tuple(path.split(".")): field for field in FIELDS for path in paths(field)},
    TIMELINE_MEMBER,
)
"""An archive row."""
