"""One attempt at a transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from google.api_core import exceptions

from infra.gcp.failures import as_our_errors
from infra.gcp.firestore_calls import SERVICE, FirestoreCalls
from shared.errors import Rejected, RetryLater
from shared.ports import Document, Write


class LostRace(RetryLater):
    """This attempt cannot be committed any more; another may."""


class FirestoreTransaction:
    """Begun by its first read, in the same call. Without a read its writes are a plain batch."""

    def __init__(self, calls: FirestoreCalls, retry_of: bytes) -> None:
        self._calls = calls
        self._retry_of = retry_of
        self._writes: list[Write] = []
        self.id = b""
        self.over = False

    def get(self, path: str) -> Document | None:
        self._check_running()
        if self._writes:
            raise Rejected("A transaction reads before it writes.", details={"path": path})
        with as_our_errors(SERVICE), _lost(exceptions.Aborted, exceptions.ServerError):
            reading = self._calls.read_in(path, self.id, self._retry_of)
        self.id = reading.transaction or self.id
        return reading.documents[path]

    def write(self, write: Write) -> None:
        self._check_running()
        self._writes.append(write)

    def commit(self) -> None:
        if self.id:
            # An unanswered commit may have happened, so only the caller may repeat it.
            with as_our_errors(SERVICE), _lost(exceptions.Aborted):
                self._calls.commit_in(self._writes, self.id)
        elif self._writes:
            self._calls.commit(self._writes)

    def roll_back(self) -> None:
        if self.id:
            self._calls.roll_back(self.id)

    def _check_running(self) -> None:
        if self.over:
            raise Rejected("This transaction is over.")


@contextmanager
def _lost(*errors: type[exceptions.GoogleAPICallError]) -> Iterator[None]:
    try:
        yield
    except errors as error:
        raise LostRace(error.message[:500]) from error
    except exceptions.InvalidArgument as error:
        # Firestore ends a transaction that rests for a minute or takes four and a half.
        if "expired" in error.message or "no longer valid" in error.message:
            raise LostRace(error.message[:500]) from error
        raise
