"""The document store in Firestore."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from infra.document_queries import cursor
from infra.document_rules import check_name
from infra.gcp.failures import PATIENCE_SECONDS
from infra.gcp.firestore_calls import FirestoreCalls
from infra.gcp.firestore_transaction import FirestoreTransaction, LostRace
from infra.gcp.firestore_values import Place
from infra.gcp.firestore_watch import FirestoreWatch
from shared.errors import RetryLater
from shared.ports import Document, DocumentPage, Query, Transaction, Write

T = TypeVar("T")

_NOBODY = "~"


class FirestoreDocuments:
    """The port ``Documents`` in one Firestore database.

    A call that fails on the way is repeated for ``patience`` seconds, a transaction that loses its
    race ``attempts`` times; then they raise RetryLater. ``emulator_host`` is ``host:port`` of
    Google's emulator, which takes 4 MiB a batch where Firestore takes 10.
    """

    def __init__(
        self,
        project: str,
        database: str = "(default)",
        *,
        emulator_host: str | None = None,
        attempts: int = 6,
        patience: float = PATIENCE_SECONDS,
        jitter: Callable[[], float] = random.random,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._calls = FirestoreCalls(Place(project, database), emulator_host, patience)
        self._attempts = attempts
        self._jitter = jitter
        self._sleep = sleep
        self._watches: set[FirestoreWatch] = set()

    def close(self) -> None:
        """End the watches and the connection. A later call opens another."""
        for watch in tuple(self._watches):
            watch.close()
        self._calls.close()

    def get(self, *paths: str) -> tuple[Document | None, ...]:
        if not paths:
            return ()
        found = self._calls.read(paths).documents
        return tuple(found[path] for path in paths)

    def write(self, writes: Sequence[Write]) -> None:
        if writes:
            self._calls.commit(writes)

    def transact(self, work: Callable[[Transaction], T]) -> T:
        lost, reason = b"", ""
        for attempt in range(self._attempts):
            if attempt:
                self._sleep(min(2.0, 0.05 * 2**attempt) * (0.5 + self._jitter()))
            transaction = FirestoreTransaction(self._calls, retry_of=lost)
            try:
                result = work(transaction)
                transaction.commit()
            except LostRace as error:
                transaction.roll_back()
                lost, reason = transaction.id or lost, error.message
            except BaseException:
                transaction.roll_back()
                raise
            else:
                return result
            finally:
                transaction.over = True
        raise RetryLater(
            f"A transaction was not let through {self._attempts} times in a row. Try again.",
            details={"attempts": self._attempts, "reason": reason},
        )

    def query(self, query: Query) -> DocumentPage:
        found = self._calls.run(query)
        documents = tuple(found[: query.limit])
        more = len(found) > query.limit
        return DocumentPage(documents, cursor(query, documents[-1]) if more else None)

    def count(self, query: Query) -> int:
        return self._calls.count(query)

    def scrub(self) -> None:
        """Nothing is kept in files of ours. See the port."""

    def watch(
        self, collection: str, on_change: Callable[[Sequence[Document]], None]
    ) -> FirestoreWatch:
        check_name(collection, "collection")
        # Firestore's own time comes with any reading, even of a document that is not there.
        now = self._calls.read([f"{collection}/{_NOBODY}"]).at
        watch = FirestoreWatch(self._calls, collection, on_change, now, self._watches.discard)
        self._watches.add(watch)
        return watch
