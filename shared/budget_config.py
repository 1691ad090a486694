"""The limits that an owner has set over the environment's, by version, and who set them."""

from __future__ import annotations

from dataclasses import dataclass

from shared import job_waits
from shared.context import Caller, Services
from shared.limits import CONFIG, Limits, Overrides, limits_of, overridden, overrides_in
from shared.models import iso
from shared.ports import Document, Fields
from shared.versions import Versions


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


def change(
    services: Services, caller: Caller, overrides: Overrides, *, seen: int | None = None
) -> Configured:
    """Set limits in place of all that were set before. They hold for the next reservation.

    What is set already makes no new version. Jobs that wait for the budget are tried again by the
    next sweep. Raises Conflict if the version is not the one that was ``seen``.
    """

    def follow(before: Configured) -> Configured:
        if overrides == before.overrides:
            return before
        return Configured(before.version + 1, overrides, iso(services.now()), caller.actor)

    before, after = _VERSIONS.change(services, caller, follow, seen)
    if after is not before:
        job_waits.wake(services)
    return after


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


_VERSIONS = Versions(
    now=CONFIG,
    kept="budget_configs/",
    subject="budget",
    field="overrides",
    named="the limits of the budget",
    read=_read,
)
current, version, history = _VERSIONS.current, _VERSIONS.version, _VERSIONS.history
