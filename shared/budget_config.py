"""The limits that an owner has set over the environment's, by version, and who set them."""

from __future__ import annotations

from dataclasses import dataclass

from shared import audit, job_waits
from shared.context import Caller, Services
from shared.errors import Conflict, NotFound
from shared.limits import CONFIG, Limits, Overrides, limits_of, overridden, overrides_in
from shared.models import iso
from shared.ports import ABSENT, Document, Fields, Query, Transaction, Write


@dataclass(frozen=True, slots=True)
class Configured:
    """A version of what is set. Version 0 sets nothing, so the environment's values hold."""

    version: int
    overrides: Overrides
    changed_at: str | None = None
    changed_by: str | None = None

    def limits(self, services: Services) -> Limits:
        """The limits that hold with it."""
        return overridden(limits_of(services.settings), self.overrides)

    @property
    def fields(self) -> Fields:
        return {
            "version": self.version,
            "overrides": self.overrides.model_dump(mode="json", exclude_none=True),
            "changed_at": self.changed_at,
            "changed_by": self.changed_by,
        }


def current(services: Services) -> Configured:
    """What is set now."""
    (document,) = services.documents.get(CONFIG)
    return _read(document)


def version(services: Services, number: int) -> Configured:
    """What was once set. Raises NotFound."""
    if number == 0:
        return Configured(0, Overrides())
    (document,) = services.documents.get(_path(number))
    if document is None:
        raise NotFound(f"There is no version {number} of the budget's limits.")
    return _read(document)


def history(services: Services, limit: int = 20) -> list[Configured]:
    """What was set, newest first."""
    query = Query("budget_configs", order_by="version", descending=True, limit=limit)
    return [_read(document) for document in services.documents.query(query).documents]


def change(
    services: Services, caller: Caller, overrides: Overrides, *, seen: int | None = None
) -> Configured:
    """Set limits in place of all that were set before. They hold for the next reservation.

    What is set already makes no new version. Jobs that wait for the budget are tried again by the
    next sweep. Raises Conflict if the version is not the one that was ``seen``.
    """

    def write(transaction: Transaction) -> tuple[Configured, bool]:
        before = _read(transaction.get(CONFIG))
        if seen is not None and seen != before.version:
            raise Conflict(
                f"The limits were changed meanwhile: version {before.version} is in force, not "
                f"{seen}. Read them again.",
                details={"version": before.version},
            )
        if overrides == before.overrides:
            return before, False
        after = Configured(before.version + 1, overrides, iso(services.now()), caller.actor)
        old, new = before.fields["overrides"], after.fields["overrides"]
        transaction.write(Write(CONFIG, after.fields))
        transaction.write(Write(_path(after.version), after.fields, if_version=ABSENT))
        changed = audit.record(
            services,
            caller,
            "config.changed",
            ("budget", str(after.version)),
            "The budget's limits were changed",
            old=old,
            new=new,
        )
        transaction.write(changed)
        return after, True

    after, is_new = services.documents.transact(write)
    if is_new:
        job_waits.wake(services)
    return after


def _path(number: int) -> str:
    return f"budget_configs/{number}"


def _read(document: Document | None) -> Configured:
    if document is None:
        return Configured(0, Overrides())
    fields = document.fields
    return Configured(
        int(str(fields["version"])),
        overrides_in(document),
        str(fields["changed_at"]),
        str(fields["changed_by"]),
    )
