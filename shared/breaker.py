"""Circuit breakers: a service that fails again and again is left alone for a while.

The state of a service is the document ``breakers/{service}``, so all instances share it: the
failures in a row, when the last began to count, and until when somebody probes.

    CLOSED --five failures--> OPEN --five minutes--> HALF-OPEN: one probe --success--> CLOSED
                                ^------------------------- failure
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Literal, TypeVar

import structlog
from pydantic import BaseModel, ConfigDict

from shared.errors import LeaderboardError, RetryLater
from shared.models import iso, parse_time
from shared.ports import Document, Documents, Transaction, Write

T = TypeVar("T")

FAILURES = 5
"""Failures in a row after which a service is left alone."""

PAUSE = timedelta(minutes=5)
"""How long it is left alone before one call may try again."""

PROBE = timedelta(minutes=2)
"""How long a probe may take before it counts as lost with its worker."""

SERVICES = ("BigQuery", "github", "notices")
"""What is guarded here, by the names that the guards give."""

_KNOWN_FOR = timedelta(seconds=5)
"""How long an instance relies on what it read last."""

log = structlog.get_logger()


class LeftAlone(RetryLater):
    """A service that is not called for now. ``not_before`` is when somebody may try."""


class Circuit(BaseModel):
    """What is known of a service. ``opened_at`` is None while it is called as usual."""

    model_config = ConfigDict(frozen=True)

    failures: int = 0
    opened_at: str | None = None
    probed_until: str | None = None

    def position(self, now: datetime) -> Literal["closed", "open", "half-open"]:
        """Half-open is a circuit that waits for the result of a probe, or for somebody to try."""
        if self.opened_at is None:
            return "closed"
        return "open" if now < parse_time(self.opened_at) + PAUSE else "half-open"


class Breaker:
    """Guards calls of services. One a process; safe in any number of threads and processes."""

    def __init__(self, documents: Documents, *, now: Callable[[], datetime]) -> None:
        self._documents = documents
        self._now = now
        self._lock = threading.Lock()
        self._known: dict[str, tuple[datetime, Circuit]] = {}

    def guard(self, service: str, call: Callable[[], T]) -> T:
        """Make the call under ``guarding``, and return what it returns."""
        with self.guarding(service):
            return call()

    @contextmanager
    def guarding(
        self, service: str, *, is_failure: Callable[[RetryLater], bool] = lambda _: True
    ) -> Iterator[None]:
        """Run the block unless the service is being left alone: then LeftAlone says until when.

        RetryLater, as far as ``is_failure`` says so, and unexpected errors count as failures of
        the service. Other errors of ours are answers: it works, and refuses. What the block raises
        passes through.
        """
        probing = self._admit(service)
        try:
            yield
        except LeaderboardError as error:
            if isinstance(error, RetryLater) and is_failure(error):
                self._failed(service)
            else:
                self._worked(service, probing=probing)
            raise
        except Exception:
            self._failed(service)
            raise
        self._worked(service, probing=probing)

    def circuit(self, service: str) -> Circuit:
        """What is known of the service, as of a few seconds ago."""
        with self._lock:
            found = self._known.get(service)
        if found is not None and self._now() - found[0] < _KNOWN_FOR:
            return found[1]
        (document,) = self._documents.get(_path(service))
        return self._remember(service, _read(document))

    def circuits(self, services: Sequence[str]) -> dict[str, Circuit]:
        """What is known of some services now. One round trip."""
        documents = self._documents.get(*map(_path, services))
        return {
            service: self._remember(service, _read(document))
            for service, document in zip(services, documents, strict=True)
        }

    # --- how --------------------------------------------------------------------------------

    def _admit(self, service: str) -> bool:
        """True if this call is the probe. Raises RetryLater while nobody may call."""
        if self.circuit(service).opened_at is None:
            return False
        moment = self._now()

        def take(transaction: Transaction) -> tuple[Circuit, datetime | None, bool]:
            now = _read(transaction.get(_path(service)))
            if now.opened_at is None:
                return now, None, False
            wait = parse_time(now.opened_at) + PAUSE
            if now.probed_until is not None:
                wait = max(wait, parse_time(now.probed_until))
            if moment < wait:
                return now, wait, False
            probing = now.model_copy(update={"probed_until": iso(moment + PROBE)})
            transaction.write(_stored(service, probing))
            return probing, None, True

        circuit, wait, probing = self._documents.transact(take)
        self._remember(service, circuit)
        if wait is not None:
            raise LeftAlone(
                f"{service} failed {FAILURES} times in a row and is left alone for now.",
                not_before=wait,
                details={"service": service},
            )
        return probing

    def _failed(self, service: str) -> None:
        moment = self._now()

        def note(transaction: Transaction) -> Circuit:
            before = _read(transaction.get(_path(service)))
            opens = before.opened_at is not None or before.failures + 1 >= FAILURES
            after = Circuit(failures=before.failures + 1, opened_at=iso(moment) if opens else None)
            transaction.write(_stored(service, after))
            return after

        after = self._remember(service, self._documents.transact(note))
        if after.opened_at is not None:
            log.error("circuit_opened", service=service, failures=after.failures)

    def _worked(self, service: str, *, probing: bool) -> None:
        if not probing and self.circuit(service).failures == 0:
            return

        def note(transaction: Transaction) -> Circuit:
            before = _read(transaction.get(_path(service)))
            # A call that began before the circuit opened does not close it: only a probe does.
            if before.failures == 0 or (before.opened_at is not None and not probing):
                return before
            transaction.write(_stored(service, Circuit()))
            return Circuit()

        after = self._remember(service, self._documents.transact(note))
        if probing and after.opened_at is None:
            log.info("circuit_closed", service=service)

    def _remember(self, service: str, circuit: Circuit) -> Circuit:
        with self._lock:
            self._known[service] = (self._now(), circuit)
        return circuit


def _path(service: str) -> str:
    return f"breakers/{service}"


def _read(document: Document | None) -> Circuit:
    return Circuit() if document is None else Circuit.model_validate(document.fields)


def _stored(service: str, circuit: Circuit) -> Write:
    return Write(_path(service), circuit.model_dump())
