"""Changes of a collection, from a stream that is opened again whenever it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grpc
import structlog
from google.auth import exceptions as auth_exceptions
from google.cloud.firestore_v1 import types

from infra.gcp.firestore_calls import FirestoreCalls
from shared.ports import Document

_log = structlog.get_logger(__name__)

_TARGET = 1
_LONGEST_PAUSE = 30.0
_ListenRequest = types.ListenRequest.pb()
_Kind = types.TargetChange.TargetChangeType

Moment = tuple[int, int]
"""Seconds since 1970 and nanoseconds."""


class FirestoreWatch:
    """Calls ``on_change`` with what changed after ``since``, a time of Firestore's.

    The stream begins at that time, so that what is there already is neither sent nor paid for.
    What Firestore sends again, as after a lost connection, is told by its time of change.
    """

    def __init__(
        self,
        calls: FirestoreCalls,
        collection: str,
        on_change: Callable[[Sequence[Document]], None],
        since: Any,
        on_close: Callable[[FirestoreWatch], None],
    ) -> None:
        self._calls = calls
        self._collection = collection
        self._on_change = on_change
        self._on_close = on_close
        self._seen: Moment = (since.seconds, since.nanos)
        self._since: Any = since
        self._resume = b""
        self._closed = threading.Event()
        self._stream: Any = None
        self._thread = threading.Thread(target=self._run, name=f"watch {collection}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._on_close(self)
        if self._stream is not None:
            self._stream.cancel()
        if threading.current_thread() is not self._thread:
            # Bounded, since a callback may wait for something its closer holds.
            self._thread.join(timeout=5)

    def _run(self) -> None:
        pause = 0.0
        while not self._closed.wait(pause):
            before = self._resume
            try:
                self._follow()
            except (grpc.RpcError, auth_exceptions.GoogleAuthError) as error:
                if not self._closed.is_set():
                    _log.warning("watch_interrupted", of=self._collection, reason=repr(error))
            went_well = self._resume != before
            pause = 0.1 if went_well else min(max(0.1, 2 * pause), _LONGEST_PAUSE)

    def _follow(self) -> None:
        """Report what one stream brings until it ends."""
        ended = threading.Event()
        try:
            self._stream = self._calls.listen(self._requests(ended))
            if self._closed.is_set():
                self._stream.cancel()
            self._report(map(types.ListenResponse.pb, self._stream))
        finally:
            ended.set()

    def _requests(self, ended: threading.Event) -> Iterator[types.ListenRequest]:
        # The stream lives as long as it may still be sent requests.
        yield self._request()
        ended.wait()

    def _request(self) -> types.ListenRequest:
        request = _ListenRequest(database=self._calls.place.database)
        target = request.add_target
        target.target_id = _TARGET
        target.query.parent = self._calls.place.root
        selector = target.query.structured_query.from_.add()
        selector.collection_id = self._collection
        if self._resume:
            target.resume_token = self._resume
        elif self._since is not None:
            target.read_time.CopyFrom(self._since)
        wrapped: types.ListenRequest = types.ListenRequest.wrap(request)
        return wrapped

    def _report(self, responses: Iterator[Any]) -> None:
        changed: dict[str, Any] = {}
        current = False
        for response in responses:
            kind = response.WhichOneof("response_type")
            if kind == "document_change":
                document = response.document_change.document
                changed[document.name] = document
            elif kind in ("document_delete", "document_remove"):
                changed.pop(getattr(response, kind).document, None)
            elif kind == "target_change":
                change = response.target_change
                if change.target_change_type == _Kind.REMOVE:
                    self._refused(change.cause)
                    return
                if change.target_change_type == _Kind.RESET:
                    changed, current = {}, False
                current = current or change.target_change_type == _Kind.CURRENT
                if _is_snapshot(change) and current:
                    self._resume = change.resume_token or self._resume
                    self._deliver(changed)
                    changed = {}

    def _refused(self, cause: Any) -> None:
        """Begin anew. A place that is too old to go on from is given up for a full reading."""
        _log.warning("watch_refused", of=self._collection, reason=cause.message[:500])
        self._resume, self._since = b"", None

    def _deliver(self, changed: dict[str, Any]) -> None:
        fresh = sorted(
            (document for document in changed.values() if _changed_at(document) > self._seen),
            key=_changed_at,
        )
        if not fresh or self._closed.is_set():
            return
        self._seen = _changed_at(fresh[-1])
        try:
            self._on_change([self._calls.place.document(document) for document in fresh])
        except Exception:  # noqa: BLE001 - one failing callback must not end the watch
            _log.exception("watch_failed", of=self._collection)


def _is_snapshot(change: Any) -> bool:
    """Whether all that was sent before makes one consistent state."""
    nothing_special = change.target_change_type == _Kind.NO_CHANGE and not change.target_ids
    return nothing_special and change.HasField("read_time")


def _changed_at(document: Any) -> Moment:
    return document.update_time.seconds, document.update_time.nanos
