"""Documents as Firestore keeps them: fields beside one ``body`` of bytes.

Messages are built and read without Google's wrappers, which take ten times as long.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from google.cloud.firestore_v1 import types

from infra.document_rules import BODY, Name
from shared.errors import Conflict, IntegrityError
from shared.ports import ABSENT, Document, Json, Write

ValuePb = types.Value.pb()
DocumentPb = types.Document.pb()
WritePb = types.Write.pb()
_VERSION = re.compile(r"(\d{1,12})\.(\d{9})")


class Place:
    """A database: ``projects/{project}/databases/{database}``."""

    def __init__(self, project: str, database: str) -> None:
        self.database = f"projects/{project}/databases/{database}"
        self.root = f"{self.database}/documents"

    def name(self, path: Name) -> str:
        return f"{self.root}/{path[0]}/{path[1]}"

    def path(self, name: str) -> str:
        return name.removeprefix(f"{self.root}/")

    def document(self, found: Any) -> Document:
        fields = {key: decode(value) for key, value in found.fields.items()}
        body = fields.pop(BODY, None)
        return Document(
            path=self.path(found.name),
            fields=fields,
            version=version(found.update_time),
            body=body,
        )

    def write(self, path: Name, write: Write) -> Any:
        """A write that was checked, with its condition. Raises Conflict for a version of no use."""
        message = WritePb()
        if write.if_version == ABSENT:
            message.current_document.exists = False
        elif write.if_version is not None:
            _set_version(message.current_document.update_time, write)
        if write.fields is None:
            message.delete = self.name(path)
            return message
        message.update.name = self.name(path)
        for key, value in write.fields.items():
            encode(value, message.update.fields[key])
        if write.body is not None:
            message.update.fields[BODY].bytes_value = write.body
        return message


def version(update_time: Any) -> str:
    """The time of the last change, which Firestore takes back as a condition."""
    return f"{update_time.seconds}.{update_time.nanos:09}"


def _set_version(time: Any, write: Write) -> None:
    match = _VERSION.fullmatch(write.if_version or "")
    if match is None:
        raise Conflict(
            f"{write.path} never had this version. Read it again.",
            details={"path": write.path, "expected": write.if_version},
        )
    time.seconds, time.nanos = int(match[1]), int(match[2])


def encode(value: Json, into: Any) -> Any:
    """Fill a Value with JSON that was checked."""
    match value:
        case None:
            into.null_value = 0
        case bool():
            into.boolean_value = value
        case int():
            into.integer_value = value
        case float():
            into.double_value = value
        case str():
            into.string_value = value
        case list():
            into.array_value.SetInParent()
            for item in value:
                encode(item, into.array_value.values.add())
        case Mapping():
            into.map_value.SetInParent()
            for key, item in value.items():
                encode(item, into.map_value.fields[key])
    return into


def decode(value: Any) -> Any:
    """JSON of a Value; bytes where it is a body."""
    kind = value.WhichOneof("value_type")
    match kind:
        case "null_value":
            return None
        case "array_value":
            return [decode(item) for item in value.array_value.values]
        case "map_value":
            return {key: decode(item) for key, item in value.map_value.fields.items()}
        case "boolean_value" | "integer_value" | "double_value" | "string_value" | "bytes_value":
            return getattr(value, kind)
    raise IntegrityError(f"A document holds a {kind}, which this program never writes.")
