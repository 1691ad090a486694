"""The lines of an archive file, whatever state the file is in.

An archive file is gzip (one member or several) or plain text. What was cut off or damaged is kept
as far as it goes. Lines end at ``\\n`` only: U+2028 and the like occur inside them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from isal import igzip_lib

from shared.errors import Rejected

Progress = Callable[[int, int], None]
"""Called now and then with the bytes of a file that were read so far, and its size."""

LONGEST_LINE = 6 << 20
"""Bytes. GitHub's largest payloads stay below it; what is longer is passed over."""

_READ = 128 << 10
_PIECE = 256 << 10
_DAMAGED = cast("type[Exception]", igzip_lib.IsalError)  # its stub declares an instance
_GZIP = b"\x1f\x8b"
_MEMBER = b"\x1f\x8b\x08"


class ArchiveLines:
    """One pass over a file. Iterate for blocks of whole lines, without the last line's end.

    The attributes are final after that.

    ``bytes_read`` counts the file's own bytes and ``sha256`` is their hash. ``truncated`` says
    that a compressed stream ended early or was damaged, ``too_long`` how many lines went
    beyond LONGEST_LINE. Raises Rejected where the file cannot be read.
    """

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        self.path = path
        self.bytes_read = 0
        self.too_long = 0
        self.truncated = False
        self._hash = hashlib.sha256()
        self._progress = progress

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as file:
                yield from self._lines(self._texts(self._raw(file)))
        except OSError as error:
            raise unreadable(self.path, error) from error

    def _raw(self, file: BinaryIO) -> Iterator[bytes]:
        size = self.path.stat().st_size
        while data := file.read(_READ):
            self._hash.update(data)
            self.bytes_read += len(data)
            yield data
            if self._progress:
                self._progress(self.bytes_read, size)

    def _texts(self, raw: Iterator[bytes]) -> Iterator[bytes]:
        first = next(raw, b"")
        if first.startswith(_GZIP):
            yield from self._unzipped(first, raw)
        else:
            yield first
            yield from raw

    def _unzipped(self, data: bytes, raw: Iterator[bytes]) -> Iterator[bytes]:
        """The text of all members, in pieces of a bounded size however well it compresses."""
        member, fed = _member(), data
        while True:
            try:
                text = member.decompress(data, _PIECE)
            except _DAMAGED:
                self.truncated = True
                yield b"\n"  # what the damage cut off must not run into what follows
                following = self._following_member(fed[1:], raw)
            else:
                yield text
                if not member.eof:
                    data = next(raw, b"") if member.needs_input else b""
                    if member.needs_input and not data:
                        self.truncated = True
                        return
                    fed = data or fed
                    continue
                following = self._following_member(member.unused_data, raw)
            if following is None:
                return
            member, data, fed = _member(), following, following

    def _following_member(self, data: bytes, raw: Iterator[bytes]) -> bytes | None:
        """What is left from the next gzip member on, None where there is none.

        Padding with NUL is usual between members; anything else there counts as damage.
        """
        data = data.lstrip(b"\0")
        while (at := data.find(_MEMBER)) != 0:
            if at > 0:
                self.truncated = True
                return data[at:]
            more = next(raw, b"")
            if not more:
                self.truncated = self.truncated or bool(data)
                return None
            if len(data) >= len(_MEMBER):
                self.truncated = True
                data = data[1 - len(_MEMBER) :]
            data = (data + more).lstrip(b"\0")
        return data

    def _lines(self, texts: Iterator[bytes]) -> Iterator[bytes]:
        """Blocks of whole lines. A line in the making is carried along, up to LONGEST_LINE."""
        carried: list[bytes] = []
        length, passing_over = 0, False
        for text in texts:
            end, begin = text.rfind(b"\n"), 0
            if end >= 0:
                first = text.index(b"\n")
                if not passing_over and length + first > LONGEST_LINE:
                    self.too_long += 1
                    passing_over = True
                if passing_over:
                    yield text[first + 1 : end]
                else:
                    yield b"".join((*carried, text[:end]))
                carried, length, passing_over, begin = [], 0, False, end + 1
            if not passing_over:
                carried.append(text[begin:])
                length += len(text) - begin
            if length > LONGEST_LINE:
                self.too_long += 1
                carried, length, passing_over = [], 0, True
        yield b"".join(carried)


def _member() -> igzip_lib.IgzipDecompressor:
    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)


def unreadable(path: Path, error: OSError) -> Rejected:
    """What to tell somebody whose file cannot be opened or read."""
    return Rejected(
        f"Cannot read {path}: {error.strerror or error}. Give the path of an archive file.",
        details={"path": str(path)},
    )
