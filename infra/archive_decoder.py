"""Lines of an archive file become rows: quickly where they fit, patiently where they don't.

The quick way decodes a line into typed structs that hold only the members that are read. A line
that does not fit them, be it by a null where an object is expected or by a number too large, goes
the patient way, which follows ``shared/extraction.py`` to the letter. Where both can read a line
they agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from infra.archive_shapes import ROW, TIMELINE_MEMBER, Counted, Shape, paths
from shared.archive_fields import FIELDS, ColumnType, Field
from shared.extraction import REQUIRED, safe_bool, safe_int64
from shared.models import ARCHIVE_BEGINS

Value = str | int | bool | None
Columns = dict[str, Value]
"""A slim event by column. ``created_at`` is in microseconds since 1970."""


class Fault(StrEnum):
    """Why a line, or an object on it, gave no row."""

    NO_OBJECT = "no_object"
    """Not JSON: runs of NUL, XML error bodies, remains between objects."""
    MALFORMED = "malformed"
    """The beginning of an object that is cut off, spliced or nested beyond reason."""
    INCOMPLETE = "incomplete"
    """An object without one of the members that an archive event has."""
    TOO_LONG = "too_long"
    """Beyond ``archive_lines.LONGEST_LINE``."""
    BEFORE_2015 = "before_2015"
    """Older than the archive's schema, or written in the one before it. Counted apart."""


UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What decoding a line may raise that does not fit."""

quickly = msgspec.json.Decoder(ROW.quick).decode
"""A line as ``archive_shapes.ROW.quick``. Raises UNREADABLE where it does not fit."""

quickly_all = msgspec.json.Decoder(ROW.quick).decode_lines
"""Many lines at once. It passes over blank lines, and takes several rows on a line."""

# --- time ------------------------------------------------------------------------------------

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?)"
    r" ?(Z|UTC|[+-][0-9]{2}:?[0-9]{2})?"
)


def microseconds(moment: datetime) -> int:
    """Since 1970, of an aware time."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(at: int) -> datetime:
    """The time that is so many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=at)


def read_time(text: str) -> int | None:
    """Microseconds since 1970 of an ISO 8601 time, UTC if it names no zone; None if it is none."""
    found = _TIME.fullmatch(text)
    if not found:
        return None
    day, time, zone = found.groups()
    try:
        zone = "+00:00" if zone in {None, "Z", "UTC"} else zone
        return microseconds(datetime.fromisoformat(f"{day}T{time}{zone}"))
    except ValueError:
        return None


BEGINS = microseconds(ARCHIVE_BEGINS)

# --- lines -----------------------------------------------------------------------------------

_BLANK = b" \t\r\n\v\f\0"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_TOKEN = re.compile(rb'\\.|["{}]', re.DOTALL)
_ROW_BEGINS = b'{"id":"'  # of all ids in a row only its own is text; quotes in texts are escaped
# On a line, so that none takes forever: after what is malformed the rest is read once more.
_MOST_FAULTS = 100
_MOST_REREAD = 4 << 20


def patiently(line: bytes) -> Iterator[Columns | Fault]:
    """What stands on a line: one row, none, or several where lines ran into each other.

    A blank line yields nothing. Never raises.
    """
    text = line.strip(_BLANK).removeprefix(_BYTE_ORDER_MARK).strip(_BLANK)
    if not text:
        if b"\0" in line:
            yield Fault.NO_OBJECT
    elif (read := _read(text)) is not None:
        yield read
    else:
        yield from _pieces(text)


def _pieces(text: bytes) -> Iterator[Columns | Fault]:
    """The rows among the objects on a line, and a fault for each stretch that gives none.

    After an object that is cut off or spliced it goes on where another row begins.
    """
    position = faults = reread = 0
    while faults < _MOST_FAULTS and reread < _MOST_REREAD:
        begin = text.find(b"{", position)
        between = text[position : begin if begin >= 0 else None]
        if between.strip(_BLANK + _BYTE_ORDER_MARK + b"[],"):
            faults += 1
            yield Fault.NO_OBJECT
        if begin < 0:
            return
        end = _end_of_object(text, begin)
        read = _read(text[begin:end]) if end else None
        if end and read is not None:
            faults += read is Fault.INCOMPLETE
            yield read
            position = end
            continue
        faults += 1
        reread += len(text) - begin
        yield Fault.MALFORMED
        position = text.find(_ROW_BEGINS, begin + 1)
        if position < 0:
            return


def _end_of_object(text: bytes, begin: int) -> int | None:
    """Where the object that begins here ends, by its braces; None where it does not."""
    depth, within_text = 0, False
    for token in _TOKEN.finditer(text, begin):
        sign = token[0]
        if sign == b'"':
            within_text = not within_text
        elif not within_text:
            depth += (sign == b"{") - (sign == b"}")
            if depth == 0:
                return token.end()
    return None


# --- one object ------------------------------------------------------------------------------

_PATHS = tuple((field, paths(field)) for field in FIELDS)
_SURROGATE = re.compile(rb"(\\+)u[dD]([89a-fA-F])[0-9a-fA-F]{2}")
_ESCAPE = len(b"\\ud800")


def _read(text: bytes) -> Columns | Fault | None:
    """An object as columns; a fault where it is no event of ours; None where it is no object."""
    try:
        row = ROW.patient.decode(text)
    except UNREADABLE:
        try:
            row = ROW.patient.decode(_without_lone_surrogates(text))
        except UNREADABLE:
            return None
    texts: dict[str, str] = {}
    _collect(ROW, row, "", texts)
    columns = {field.name: _column(field, tries, texts) for field, tries in _PATHS}
    created_at = columns["created_at"]
    if _is_timeline(row) or (isinstance(created_at, int) and created_at < BEGINS):
        return Fault.BEFORE_2015
    if any(columns[name] is None for name in REQUIRED):
        return Fault.INCOMPLETE
    return columns


def _without_lone_surrogates(text: bytes) -> bytes:
    """The text with U+FFFD for every half of a character that has no other half."""
    halves = [
        (found.end() - _ESCAPE, found[2] in b"89abAB")
        for found in _SURROGATE.finditer(text)
        if len(found[1]) % 2  # else the backslash before the u is itself escaped
    ]
    mended, paired = bytearray(text), -1
    for (at, is_first), following in zip(halves, [*halves[1:], None], strict=False):
        if is_first and following == (at + _ESCAPE, False):
            paired = at + _ESCAPE
        elif at != paired:
            mended[at : at + _ESCAPE] = rb"\ufffd"
    return bytes(mended)


def _is_timeline(row: Any) -> bool:
    instead = _first_byte(getattr(row, TIMELINE_MEMBER)) == b"{"
    return _first_byte(row.actor) == b'"' or (instead and _first_byte(row.repo) != b"{")


def _first_byte(raw: msgspec.Raw) -> bytes:
    return bytes(memoryview(raw)[:1])


def _collect(shape: Shape, members: Any, prefix: str, texts: dict[str, str]) -> None:
    """Note the text at every path that holds a scalar, and the number of what is counted."""
    for name in shape.scalars:
        if (text := _scalar(getattr(members, name))) is not None:
            texts[prefix + name] = text
    for name, counted in shape.counts.items():
        raw = getattr(members, name)
        if _first_byte(raw) == b"[":
            texts[prefix + name] = str(_count(counted, raw))
    for name, inner in shape.objects.items():
        raw = getattr(members, name)
        if _first_byte(raw) == b"{":
            _collect(inner, inner.patient.decode(raw), f"{prefix}{name}.", texts)


def _scalar(raw: msgspec.Raw) -> str | None:
    """JSON_VALUE of what is written here."""
    match _first_byte(raw):
        case b"{" | b"[" | b"n":
            return None
        case b'"':
            try:
                return msgspec.json.decode(raw, type=str)
            except UnicodeDecodeError:
                return msgspec.json.decode(bytes(raw).decode("utf-8", "replace"), type=str)
        case _:
            return bytes(raw).decode("ascii")


def _count(counted: Counted, raw: msgspec.Raw) -> int:
    total = 0
    for entry in msgspec.json.decode(raw, type=list[msgspec.Raw]):
        if _first_byte(entry) == b"{":
            text = _scalar(getattr(counted.patient.decode(entry), counted.member))
            total += text is not None and safe_bool(text) is True
    return total


def _column(field: Field, tries: tuple[str, ...], texts: dict[str, str]) -> Value:
    text = next((texts[path] for path in tries if path in texts), None)
    return None if text is None else _cast(text, field.type)


def _cast(text: str, type_: ColumnType) -> Value:
    match type_:
        case "STRING":
            return text
        case "INT64":
            return safe_int64(text)
        case "BOOL":
            return safe_bool(text)
        case "TIMESTAMP":
            return read_time(text)
