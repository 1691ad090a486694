"""Counting requests with PyPI ``limits``: moving windows, in Redis or in this process."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from limits import RateLimitItemPerSecond
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage, Storage
from limits.strategies import MovingWindowRateLimiter

from shared.rates import Rate, Used
from shared.settings import Settings

ANSWER_SECONDS = 0.5
"""How long Redis is waited for: less than what a request without it takes."""

PAUSE_SECONDS = 10.0
"""How long a storage that failed is left alone, so that it slows one request and not all."""

_DEPLOYMENT = Path(__file__).parent / "deployment.json"

log = structlog.get_logger()


def rates_of(settings: Settings) -> CountedRates:
    """Redis, where it is set; else this process, with the limits divided among the instances."""
    if settings.redis_url is None:
        return CountedRates(MemoryStorage(), divided_by=instances(settings))
    # The library loads Redis' client when it is asked for.
    storage = RedisStorage(
        settings.redis_url,
        key_prefix="leaderboard-rates",
        wrap_exceptions=True,
        socket_timeout=ANSWER_SECONDS,
        socket_connect_timeout=ANSWER_SECONDS,
    )
    return CountedRates(storage)


def instances(settings: Settings) -> int:
    """The most instances that may answer at once."""
    if settings.rate_limit_instances is not None:
        return settings.rate_limit_instances
    if settings.backend == "local":
        return settings.workers
    return int(json.loads(_DEPLOYMENT.read_text("utf-8"))["functions"]["api"]["max_instances"])


class CountedRates:
    """The port ``Rates``. Each instance allows its share of a rate, one request at least."""

    def __init__(
        self,
        storage: Storage,
        *,
        divided_by: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limiter = MovingWindowRateLimiter(storage)
        self._divided_by = divided_by
        self._clock = clock
        self._paused_until = -math.inf

    def take(self, subject: str, rates: Sequence[Rate]) -> Used | None:
        return self._ask(subject, rates, self._limiter.hit)

    def look(self, subject: str, rates: Sequence[Rate]) -> Used | None:
        return self._ask(subject, rates, self._limiter.test)

    def _ask(
        self,
        subject: str,
        rates: Sequence[Rate],
        ask: Callable[[RateLimitItemPerSecond, str], bool],
    ) -> Used | None:
        # The shortest first: what a burst is refused for is not held against the minute.
        wanted = sorted((rate for rate in rates if rate.most), key=lambda rate: rate.seconds)
        if not wanted or self._clock() < self._paused_until:
            return None
        try:
            for rate in wanted:
                item = self._item(rate)
                if not ask(item, subject):
                    return self._used(rate, item, subject, fits=False)
            return self._used(wanted[-1], self._item(wanted[-1]), subject, fits=True)
        except StorageError as error:
            self._paused_until = self._clock() + PAUSE_SECONDS
            reason = type(error.storage_error).__name__
            log.warning("rate_limit_storage_failed", reason=reason, pause_seconds=PAUSE_SECONDS)
            return None

    def _item(self, rate: Rate) -> RateLimitItemPerSecond:
        share = max(rate.most // self._divided_by, 1)
        return RateLimitItemPerSecond(share, rate.seconds, namespace="")

    def _used(self, rate: Rate, item: RateLimitItemPerSecond, subject: str, *, fits: bool) -> Used:
        stats = self._limiter.get_window_stats(item, subject)
        now = time.time()
        wait = 0 if fits and stats.remaining > 0 else max(math.ceil(stats.reset_time - now), 1)
        return Used(
            fits=fits,
            rate=rate,
            most=item.amount,
            remaining=max(stats.remaining, 0) if fits else 0,
            resets_at=math.ceil(stats.reset_time),
            wait=wait,
        )
