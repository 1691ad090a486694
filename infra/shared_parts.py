"""Parts of boards in Redis, so that what one instance has read costs the others no document."""

from __future__ import annotations

import time
from collections.abc import Callable

import redis

from infra.redis_pause import ANSWER_SECONDS, RedisPause
from shared.board_reading import Parts
from shared.ports import Document

KEPT_SECONDS = 600
"""How long a part lies there: no longer than somebody removed may stay in a cache nobody asks."""

_PREFIX = "leaderboard-parts:"
_PARTS = "board_parts/"


def over_redis(url: str, documents: Parts) -> SharedParts:
    """The documents behind the Redis at an address."""
    client = redis.Redis.from_url(
        url,
        socket_timeout=ANSWER_SECONDS,
        socket_connect_timeout=ANSWER_SECONDS,
    )
    return SharedParts(client, documents)


class SharedParts:
    """``Parts`` of which Redis keeps those that never change: the name of each has its edition.

    Pointers and heads always come from the documents. A Redis that fails is left alone for a while.
    """

    def __init__(
        self,
        client: redis.Redis,
        documents: Parts,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._documents = documents
        self._pause = RedisPause("shared_parts_failed", clock)

    def get(self, *paths: str) -> tuple[Document | None, ...]:
        """As ``Documents.get``."""
        parts = [path for path in paths if path.startswith(_PARTS)]
        found: dict[str, Document | None] = dict(self._kept(parts))
        missing = [path for path in paths if path not in found]
        if missing:
            read = dict(zip(missing, self._documents.get(*missing), strict=True))
            self._keep([d for d in read.values() if d is not None and d.path.startswith(_PARTS)])
            found |= read
        return tuple(found[path] for path in paths)

    def _kept(self, paths: list[str]) -> dict[str, Document]:
        if not paths or self._pause.lasts:
            return {}
        try:
            bodies = self._client.mget([_PREFIX + path for path in paths])
        except redis.RedisError as error:
            self._pause.begin(error)
            return {}
        return {
            path: Document(path, {}, "", body)
            for path, body in zip(paths, bodies, strict=True)
            if isinstance(body, bytes)
        }

    def _keep(self, documents: list[Document]) -> None:
        if not documents or self._pause.lasts:
            return
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                for document in documents:
                    if document.body is not None:
                        pipeline.set(_PREFIX + document.path, document.body, ex=KEPT_SECONDS)
                pipeline.execute()
        except redis.RedisError as error:
            self._pause.begin(error)
