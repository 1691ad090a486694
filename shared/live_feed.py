"""The live feed of a process: one watch of the document store, however many read along."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from shared import jobs, live_log
from shared.errors import RetryLater
from shared.jobs import Job
from shared.live_log import LogLine
from shared.ports import Document, Documents, Watch

_WAITING_AT_MOST = 1000

News = LogLine | Job


@dataclass(frozen=True, slots=True)
class _Behind:
    """In place of news that a reader was too slow for."""


class Reader:
    """One who reads along. Closing is safe at any time and more than once."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._waiting: queue.Queue[News | _Behind] = queue.Queue()

    def next(self, seconds: float) -> News | None:
        """The next of the news, None if there is none for that long.

        Raises RetryLater for a reader who fell behind: what was missed is read from the store.
        """
        try:
            found = self._waiting.get(timeout=max(seconds, 0.0))
        except queue.Empty:
            return None
        if isinstance(found, _Behind):
            raise RetryLater("This reader fell behind. Read on from the last line.")
        return found

    def close(self) -> None:
        self._feed._leave(self)

    def _tell(self, news: Sequence[News]) -> None:
        for each in news:
            if self._waiting.qsize() >= _WAITING_AT_MOST:
                self._waiting.put(_Behind())
                return
            self._waiting.put(each)


class Feed:
    """Hands changes of jobs and new lines to at most ``most`` readers at once. Safe in threads.

    It watches the store from the first reader's coming to the last one's going.
    """

    def __init__(self, documents: Documents, most: int) -> None:
        self._documents = documents
        self._most = most
        self._lock = threading.Lock()
        self._readers: set[Reader] = set()
        self._watches: tuple[Watch, ...] = ()

    def join(self) -> Reader:
        """A reader of what changes from now on. Raises RetryLater where there are too many."""
        with self._lock:
            if len(self._readers) >= self._most:
                raise RetryLater("Too many follow the log just now. Try again in a while.")
            if not self._readers:
                self._watches = (
                    self._documents.watch("log_lines", self._lines),
                    self._documents.watch("jobs", self._jobs),
                )
            reader = Reader(self)
            self._readers.add(reader)
        return reader

    @property
    def readers(self) -> int:
        """How many read along now."""
        return len(self._readers)

    def _leave(self, reader: Reader) -> None:
        over: tuple[Watch, ...] = ()
        with self._lock:
            if reader in self._readers:
                self._readers.remove(reader)
                if not self._readers:
                    over, self._watches = self._watches, ()
        # Not under the lock, which a watch that is just reporting waits for.
        for watch in over:
            watch.close()

    def _lines(self, changed: Sequence[Document]) -> None:
        self._tell([live_log.read(document) for document in changed])

    def _jobs(self, changed: Sequence[Document]) -> None:
        self._tell([jobs.read(document) for document in changed])

    def _tell(self, news: Sequence[News]) -> None:
        with self._lock:
            for reader in self._readers:
                reader._tell(news)
