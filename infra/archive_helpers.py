"""Processes that decode blocks of an archive file beside the one that reads it.

Decoding holds the interpreter's lock, so threads would not help. A helper is this module run as a
program: blocks come by its standard input and rows leave by its standard output, so it ends with
whoever started it, however that ends.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Self, cast

import msgspec
import pyarrow as pa

from infra.archive_blocks import SCHEMA, BlockDecoder, Decoded
from infra.archive_report import Tally
from shared.errors import RetryLater

HELPED_FROM = 16 << 20
"""Bytes of a file that takes longer to decode than a helper takes to start."""

_MOST_HELPERS = 3
"""More would wait: unpacking is done by one thread."""

_PIPE_BYTES = 512 << 10
_ROOT = Path(__file__).resolve().parents[1]
_LENGTH = 8


@contextmanager
def helpers_for(path: Path, latest: datetime) -> Iterator[Sequence[Helper]]:
    """Helpers for a large file, one for each core; none where they would not pay."""
    try:
        large = path.stat().st_size >= HELPED_FROM
    except OSError:  # reading it will say so
        large = False
    many = min(_cores(), _MOST_HELPERS) if large and _cores() > 1 else 0
    with ExitStack() as stack:
        yield [stack.enter_context(Helper(latest)) for _ in range(many)]


class Helper:
    """A process that decodes. Leaving its context ends it."""

    def __init__(self, latest: datetime) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this very module
                [sys.executable, "-m", "infra.archive_helpers", latest.isoformat()],
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pipesize=_PIPE_BYTES,
            )
        except OSError as error:
            raise RetryLater(f"A helping process could not be started: {error}") from error
        self._thread = ThreadPoolExecutor(1)
        self._input = cast("BinaryIO", self._process.stdin)
        self._output = cast("BinaryIO", self._process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._thread.shutdown(cancel_futures=True)
        self._process.communicate()

    def decode(self, block: Sequence[bytes]) -> Future[Decoded]:
        """``BlockDecoder.decode`` over there. The result raises RetryLater if the helper died."""
        return self._thread.submit(self._ask, block)

    def _ask(self, block: Sequence[bytes]) -> Decoded:
        try:
            _send(self._input, *block, b"")
            tally = _receive(self._output)
            stream = _receive(self._output)
        except (OSError, EOFError) as error:
            raise RetryLater(
                "A process that decodes archive files ended with status "
                f"{self._process.wait()}. Start again."
            ) from error
        return [*pa.ipc.open_stream(stream)], msgspec.msgpack.decode(tally, type=Tally)


def _send(pipe: BinaryIO, *contents: bytes) -> None:
    lengths = (len(content).to_bytes(_LENGTH, "big") for content in contents)
    # At once: after every write the thread waits for the interpreter's lock.
    pipe.write(b"".join(chain.from_iterable(zip(lengths, contents, strict=True))))
    pipe.flush()


def _receive(pipe: BinaryIO) -> bytes:
    """What was sent. Raises EOFError if the sender is gone."""
    length = _exactly(pipe, _LENGTH)
    return _exactly(pipe, int.from_bytes(length, "big"))


def _exactly(pipe: BinaryIO, length: int) -> bytes:
    content = pipe.read(length)
    if len(content) < length:
        raise EOFError
    return content


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def main() -> None:
    """Decode blocks until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it decides what that means
    gc.disable()  # nothing here makes cycles, and there is much to look through
    decoder = BlockDecoder(datetime.fromisoformat(sys.argv[1]))
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    try:
        while True:
            batches, tally = decoder.decode(iter(lambda: _receive(source), b""))
            stream = pa.BufferOutputStream()
            with pa.ipc.new_stream(stream, SCHEMA) as writer:
                for batch in batches:
                    writer.write_batch(batch)
            _send(sink, msgspec.msgpack.encode(tally), stream.getvalue())
    except EOFError:
        return


if __name__ == "__main__":
    main()
