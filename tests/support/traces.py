"""Every place where a name may be left: files byte by byte, and what is packed in them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path

import pyarrow.parquet as pq

from shared.context import Services
from tests.support.scenario import everything
from tests.support.stored import collections


def traces(services: Services, folder: Path, *wanted: str) -> list[str]:
    """Where one of the texts stands: documents by path, files by name. Case does not count."""
    needles = [text.lower().encode() for text in wanted]
    found = []
    for collection in sorted(collections()):
        for document in everything(services, collection):
            told = str(dict(document.fields)).encode() + document.path.encode()
            if _holds(told + _unpacked(document.body), needles):
                found.append(document.path)
    services.documents.scrub()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            raw = file.read_bytes()
            if file.suffix == ".parquet":
                raw += str(pq.read_table(file).to_pylist()).encode()
            if _holds(raw, needles):
                found.append(str(file.relative_to(folder)))
    return found


def _holds(text: bytes, needles: Iterable[bytes]) -> bool:
    lower = text.lower()
    return any(needle in lower for needle in needles)


def _unpacked(body: bytes | None) -> bytes:
    if body is None:
        return b""
    try:
        return body + zlib.decompress(body)
    except zlib.error:
        return body
