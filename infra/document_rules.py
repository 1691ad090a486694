"""What a document store takes, whoever keeps it: Firestore's names, values, sizes and limits."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from shared.errors import Rejected
from shared.ports import Write

MAX_DOCUMENT_BYTES = 1 << 20
MAX_BATCH_WRITES = 500
MAX_BATCH_BYTES = 10 << 20
MAX_DEPTH = 20
MAX_IN_VALUES = 30
MAX_NAME_BYTES = 1500
BODY = "body"
"""The field that keeps a document's body, which no other field may be named like."""

_RESERVED = re.compile(r"__.*__", re.DOTALL)

Name = tuple[str, str]


def split_path(path: str) -> Name:
    collection, slash, id_ = path.partition("/")
    if not slash or "/" in id_:
        raise Rejected(f"{path[:200]!r} is not a document's path. Write it as collection/id.")
    return check_name(collection, "collection"), check_name(id_, "document id")


def check_name(name: str, what: str) -> str:
    if not name or "/" in name or name in {".", ".."} or _RESERVED.fullmatch(name):
        raise Rejected(f"{name[:200]!r} cannot be a {what}.")
    if _text_bytes(name) > MAX_NAME_BYTES:
        raise Rejected(f"A {what} has at most {MAX_NAME_BYTES} bytes.")
    return name


def check_batch(writes: Sequence[Write]) -> list[Name]:
    """The names of the documents of a batch. Raises Rejected for one that can never be written."""
    if len(writes) > MAX_BATCH_WRITES:
        raise Rejected(f"{len(writes)} writes are more than the {MAX_BATCH_WRITES} of a batch.")
    names, total = [], 0
    for write in writes:
        name = split_path(write.path)
        size = document_bytes(write, name)
        if size > MAX_DOCUMENT_BYTES:
            raise Rejected(
                f"{write.path} has {size:,} bytes, a document at most {MAX_DOCUMENT_BYTES:,}.",
                details={"path": write.path, "bytes": size, "limit": MAX_DOCUMENT_BYTES},
            )
        total += size
        names.append(name)
    if total > MAX_BATCH_BYTES:
        raise Rejected(f"The batch has {total:,} bytes, one takes at most {MAX_BATCH_BYTES:,}.")
    if len(set(names)) < len(names):
        raise Rejected("A batch writes each document once.")
    return names


def document_bytes(write: Write, name: Name) -> int:
    size = 48 + sum(_text_bytes(part) + 1 for part in name)
    if write.body is not None:
        size += len(BODY) + 1 + len(write.body)
    try:
        for field in write.fields or ():
            check_field_name(field, top=True)
        return size + value_bytes(dict(write.fields or {}), MAX_DEPTH)
    except Rejected as error:
        raise Rejected(f"{write.path}: {error.message}", details={"path": write.path}) from error


def value_bytes(value: object, depth: int) -> int:
    """How many bytes Firestore counts for a value. Raises Rejected for what it does not take."""
    match value:
        case None | bool():
            return 1
        case int() if -(2**63) <= value < 2**63:
            return 8
        case float() if math.isfinite(value):
            return 8
        case str():
            return _text_bytes(value) + 1
        case list() if depth and not any(isinstance(item, list) for item in value):
            return sum(value_bytes(item, depth - 1) for item in value)
        case dict() if depth:
            return sum(
                _key_bytes(key) + value_bytes(item, depth - 1) for key, item in value.items()
            )
    raise Rejected(
        f"This {type(value).__name__} cannot be stored: fields are null, booleans, integers of "
        "64 bits, finite numbers, text, lists (not directly in lists) and objects, "
        f"{MAX_DEPTH} deep."
    )


def _key_bytes(key: object) -> int:
    return _text_bytes(check_field_name(key)) + 1


def check_field_name(name: object, *, top: bool = False) -> str:
    """``top`` for a field of the document itself, which shares its place with the body."""
    if not isinstance(name, str):
        raise Rejected(f"{name!r} cannot be the name of a field.")
    if not name or _RESERVED.fullmatch(name) or (top and name == BODY):
        raise Rejected(f"{name[:200]!r} cannot be the name of a field.")
    return name


def _text_bytes(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise Rejected(f"{text[:80]!r} is not valid Unicode.") from error
