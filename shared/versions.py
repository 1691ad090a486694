"""What an owner stores over a default, by version: what is set now, and all that ever was.

A version is written once, besides the document that says what is set now, and is on the audit
trail. Version 0 sets nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from shared import audit
from shared.context import Caller, Services
from shared.errors import Conflict, NotFound
from shared.ports import ABSENT, Document, Fields, Query, Transaction, Write


class Version(Protocol):
    """A version as it is stored."""

    @property
    def version(self) -> int: ...

    @property
    def fields(self) -> Fields: ...


V = TypeVar("V", bound=Version)


@dataclass(frozen=True, slots=True)
class Versions(Generic[V]):
    """``now`` is the path of what is set, ``kept`` how those of all versions begin.

    ``subject`` and ``field`` are what the trail calls it and where its fields have it, ``named``
    (in the plural) is for people. ``read`` makes version 0 of no document.
    """

    now: str
    kept: str
    subject: str
    field: str
    named: str
    read: Callable[[Document | None], V]

    def current(self, services: Services) -> V:
        """What is set now."""
        (document,) = services.documents.get(self.now)
        return self.read(document)

    def version(self, services: Services, number: int) -> V:
        """What was once set. Raises NotFound."""
        if number == 0:
            return self.read(None)
        (document,) = services.documents.get(f"{self.kept}{number}")
        if document is None:
            raise NotFound(f"There is no version {number} of {self.named}.")
        return self.read(document)

    def history(self, services: Services, limit: int = 20) -> list[V]:
        """What was set, newest first."""
        kept = self.kept.removesuffix("/")
        query = Query(kept, order_by="version", descending=True, limit=limit)
        return [self.read(document) for document in services.documents.query(query).documents]

    def change(
        self, services: Services, caller: Caller, follow: Callable[[V], V], seen: int | None
    ) -> tuple[V, V]:
        """Store what follows what is set, unless that is the same one. Returns both.

        Raises Conflict if the version is not the one that was ``seen``.
        """

        def write(transaction: Transaction) -> tuple[V, V]:
            before = self.read(transaction.get(self.now))
            if seen is not None and seen != before.version:
                raise Conflict(
                    f"{self.named.capitalize()} were changed meanwhile: version {before.version} "
                    f"is set, not {seen}. Read them again.",
                    details={"version": before.version},
                )
            after = follow(before)
            if after is before:
                return before, before
            kept = f"{self.kept}{after.version}"
            transaction.write(Write(self.now, after.fields))
            transaction.write(Write(kept, after.fields, if_version=ABSENT))
            transaction.write(
                audit.record(
                    services,
                    caller,
                    "config.changed",
                    (self.subject, str(after.version)),
                    f"{self.named.capitalize()} were changed",
                    old=before.fields[self.field],
                    new=after.fields[self.field],
                )
            )
            return before, after

        return services.documents.transact(write)
