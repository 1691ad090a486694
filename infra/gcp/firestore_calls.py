"""The calls that are made of Firestore, and what their failures mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from google.api_core import exceptions
from google.cloud.firestore_v1 import types
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport

from infra.document_rules import check_batch, split_path
from infra.gcp.clients import Once, open_channel
from infra.gcp.failures import CALL_SECONDS, as_our_errors, repeated
from infra.gcp.firestore_queries import structured
from infra.gcp.firestore_values import Place
from shared.errors import Conflict, Rejected
from shared.ports import Document, Query, Write

SERVICE = "Firestore"
_COUNT = "count"
MAX_REQUEST_BYTES = 10 << 20
EMULATOR_REQUEST_BYTES = 4 << 20

_BatchGet = types.BatchGetDocumentsRequest.pb()
_Commit = types.CommitRequest.pb()
_RunQuery = types.RunQueryRequest.pb()
_RunAggregation = types.RunAggregationQueryRequest.pb()


@dataclass(frozen=True, slots=True)
class Reading:
    """Documents by path, the transaction that the read began, and Firestore's time."""

    documents: Mapping[str, Document | None]
    transaction: bytes
    at: Any


class FirestoreCalls:
    """One method a call. Google's errors come out as ours, unless said otherwise."""

    def __init__(self, place: Place, emulator_host: str | None, patience: float) -> None:
        self.place = place
        self._emulator_host = emulator_host
        self._repeated = repeated(patience)
        self._client = Once(self._connect)
        # Google's client derives this from the URL of the other calls, but not of Listen.
        self._options: dict[str, Any] = {
            "retry": None,
            "timeout": CALL_SECONDS,
            "metadata": [("google-cloud-resource-prefix", place.database)],
        }

    def close(self) -> None:
        client = self._client.take()
        if client is not None:
            client.transport.close()  # type: ignore[no-untyped-call]

    def read(self, paths: Sequence[str]) -> Reading:
        """Documents at one moment."""
        request = self._batch_get(paths)
        with as_our_errors(SERVICE):
            return self._repeated(self._read)(request)

    def read_in(self, path: str, transaction: bytes, retry_of: bytes) -> Reading:
        """A document within a transaction, which an empty id begins. Raises Google's errors."""
        request = self._batch_get([path])
        if transaction:
            request.transaction = transaction
        else:
            request.new_transaction.read_write.retry_transaction = retry_of
        return self._read(request)

    def run(self, query: Query) -> list[Document]:
        """The documents of a query and one more, if there is one."""
        request = _RunQuery(parent=self.place.root, structured_query=structured(query, self.place))
        with as_our_errors(SERVICE), _unprepared(query):
            return self._repeated(self._run)(request)

    def count(self, query: Query) -> int:
        """How many documents a query finds, up to its limit."""
        request = _RunAggregation(parent=self.place.root)
        aggregation = request.structured_aggregation_query
        aggregation.structured_query.CopyFrom(structured(query, self.place))
        aggregation.structured_query.limit.value = query.limit
        counted = aggregation.aggregations.add()
        counted.alias = _COUNT
        counted.count.SetInParent()
        with as_our_errors(SERVICE), _unprepared(query):
            return self._repeated(self._count)(request)

    def commit(self, writes: Sequence[Write]) -> None:
        request = self._commit_request(writes)
        with as_our_errors(SERVICE), _conditions(writes):
            self._repeated(self._commit)(request)

    def commit_in(self, writes: Sequence[Write], transaction: bytes) -> None:
        """End a transaction. Raises Google's errors but for conditions that do not hold."""
        request = self._commit_request(writes)
        request.transaction = transaction
        with _conditions(writes):
            self._commit(request)

    def roll_back(self, transaction: bytes) -> None:
        """Free what a transaction holds. Where that fails, Firestore does it within minutes."""
        request = {"database": self.place.database, "transaction": transaction}
        try:
            self._client().rollback(request, **self._options | {"timeout": 5.0})
        except exceptions.GoogleAPIError:
            return

    def listen(self, requests: Iterator[Any]) -> Any:
        """The stream of changes, before its first answer. It raises ``grpc.RpcError``."""
        # Google's client waits for the first answer, and then nobody could close a silent stream.
        transport: Any = self._client().transport
        return transport.listen(requests, metadata=self._options["metadata"])

    def _connect(self) -> FirestoreClient:
        if self._emulator_host is None:
            return FirestoreClient()
        transport = FirestoreGrpcTransport(channel=open_channel(self._emulator_host))
        return FirestoreClient(transport=transport)

    def _batch_get(self, paths: Sequence[str]) -> Any:
        # A document named twice is read, and paid for, once.
        names = dict.fromkeys(self.place.name(split_path(path)) for path in paths)
        return _BatchGet(database=self.place.database, documents=names)

    def _read(self, request: Any) -> Reading:
        found: dict[str, Document | None] = {}
        transaction, at = b"", None
        stream = self._client().batch_get_documents(
            types.BatchGetDocumentsRequest.wrap(request), **self._options
        )
        for response in map(types.BatchGetDocumentsResponse.pb, stream):
            transaction = response.transaction or transaction
            kind = response.WhichOneof("result")
            if kind == "found":
                document = self.place.document(response.found)
                found[document.path] = document
            elif kind == "missing":
                found[self.place.path(response.missing)] = None
            if kind is not None:
                at = response.read_time
        return Reading(found, transaction, at)

    def _run(self, request: Any) -> list[Document]:
        stream = self._client().run_query(types.RunQueryRequest.wrap(request), **self._options)
        responses = map(types.RunQueryResponse.pb, stream)
        return [self.place.document(each.document) for each in responses if each.document.name]

    def _count(self, request: Any) -> int:
        stream = self._client().run_aggregation_query(
            types.RunAggregationQueryRequest.wrap(request), **self._options
        )
        responses = map(types.RunAggregationQueryResponse.pb, stream)
        # Answers that bear no result tell of progress only.
        found = [each.result.aggregate_fields for each in responses if each.HasField("result")]
        return int(found[-1][_COUNT].integer_value)

    def _commit_request(self, writes: Sequence[Write]) -> Any:
        names = check_batch(writes)
        messages = [self.place.write(name, each) for name, each in zip(names, writes, strict=True)]
        request = _Commit(database=self.place.database, writes=messages)
        limit = MAX_REQUEST_BYTES if self._emulator_host is None else EMULATOR_REQUEST_BYTES
        if request.ByteSize() > limit:
            raise Rejected(
                f"The batch makes a request of {request.ByteSize():,} bytes; {limit:,} are taken.",
                details={"bytes": request.ByteSize(), "limit": limit},
            )
        return request

    def _commit(self, request: Any) -> None:
        self._client().commit(types.CommitRequest.wrap(request), **self._options)


@contextmanager
def _conditions(writes: Sequence[Write]) -> Iterator[None]:
    """A condition that does not hold is a Conflict, however Firestore puts it."""
    conditional = [write.path for write in writes if write.if_version is not None]
    failures = (exceptions.AlreadyExists, exceptions.FailedPrecondition, exceptions.NotFound)
    try:
        yield
    except failures as error:
        if not conditional:
            raise
        raise Conflict(
            f"{', '.join(conditional[:3])} was changed by somebody else. Read it again.",
            details={"paths": conditional[:20], "reason": error.message[:500]},
        ) from error


@contextmanager
def _unprepared(query: Query) -> Iterator[None]:
    """A query without its index fails for good; Google's message has the link that makes one."""
    try:
        yield
    except exceptions.FailedPrecondition as error:
        raise Rejected(
            f"This query of {query.collection} has no index: {error.message[:1000]}",
            details={"collection": query.collection},
        ) from error
