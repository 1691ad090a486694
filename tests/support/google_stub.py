"""A gRPC server on loopback that answers as a test has written, where no emulator would."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

Failure = tuple[grpc.StatusCode, str]
Answer = Any
"""A message, a sequence of messages and failures for a stream, or a failure."""


class GoogleStub:
    """Answers each method with what was queued for it, then with what ``usually`` has."""

    def __init__(self) -> None:
        self.requests: defaultdict[str, list[Any]] = defaultdict(list)
        self.usually: dict[str, Callable[[Any], Answer]] = {}
        self.closing = threading.Event()
        self._queued: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self._server = grpc.server(ThreadPoolExecutor(8))
        self.host = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    @property
    def calls(self) -> Counter[str]:
        return Counter({method: len(requests) for method, requests in self.requests.items()})

    def answer(self, method: str, *answers: Answer) -> None:
        self._queued[method].extend(answers)

    def offer(self, service: str, methods: Mapping[str, tuple[type[Any], type[Any], str]]) -> None:
        """Methods by name: the classes of request and answer, and ``unary`` or ``stream`` twice."""
        makers = {
            "unary_unary": grpc.unary_unary_rpc_method_handler,
            "unary_stream": grpc.unary_stream_rpc_method_handler,
            "stream_stream": grpc.stream_stream_rpc_method_handler,
        }
        handlers = {
            method: makers[kind](
                getattr(self, f"_{kind}")(method),
                request_deserializer=request.deserialize,
                response_serializer=answer.serialize,
            )
            for method, (request, answer, kind) in methods.items()
        }
        handler = grpc.method_handlers_generic_handler(service, handlers)
        self._server.add_generic_rpc_handlers((handler,))

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self.closing.set()
        self._server.stop(None).wait()

    def _next(self, method: str, request: Any) -> Answer:
        self.requests[method].append(request)
        if self._queued[method]:
            return self._queued[method].popleft()
        return self.usually[method](request)

    def _unary_unary(self, method: str) -> Callable[[Any, Any], Any]:
        def handle(request: Any, context: Any) -> Any:
            return _sent(self._next(method, request), context)

        return handle

    def _unary_stream(self, method: str) -> Callable[[Any, Any], Iterator[Any]]:
        def handle(request: Any, context: Any) -> Iterator[Any]:
            for each in _several(self._next(method, request)):
                yield _sent(each, context)

        return handle

    def _stream_stream(self, method: str) -> Callable[[Any, Any], Iterator[Any]]:
        def handle(requests: Iterator[Any], context: Any) -> Iterator[Any]:
            for each in _several(self._next(method, next(requests))):
                yield _sent(each, context)
            while context.is_active() and not self.closing.wait(0.02):
                pass

        return handle


def _several(answer: Answer) -> Sequence[Any]:
    return answer if isinstance(answer, list) else [answer]


def _sent(answer: Answer, context: Any) -> Any:
    if isinstance(answer, tuple):
        context.abort(*answer)
    return answer


@contextmanager
def google_stub() -> Iterator[GoogleStub]:
    stub = GoogleStub()
    try:
        yield stub
    finally:
        stub.stop()
