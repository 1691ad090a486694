"""An audit trail that is sealed, and tampered with."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from shared import audit, audit_integrity, audit_seals
from shared.audit_integrity import Checked
from shared.context import SYSTEM, Services
from shared.ports import Document, Write
from tests.support.job_world import World
from tests.support.scenario import everything


def told(services: Services, count: int = 1, **fields: Any) -> list[str]:
    """Records on the trail; their ids, the earliest first."""
    writes = [
        audit.record(services, SYSTEM, "config.changed", ("rules", str(n)), f"change {n}")
        for n in range(count)
    ]
    writes = [replace(w, fields={**(w.fields or {}), **fields}) for w in writes]
    for start in range(0, count, 400):
        services.documents.write(writes[start : start + 400])
    return sorted(write.path.removeprefix("audit/") for write in writes)


def sealed(world: World, *batches: int) -> list[list[str]]:
    """Batches of records, each under a seal of its own, ten minutes apart."""
    made = []
    for count in batches:
        made.append(told(world.services, count))
        assert audit_seals.seal(world.services) == count
        world.clock.advance(timedelta(minutes=10))
    return made


def stored(world: World, path: str) -> Document:
    (document,) = world.services.documents.get(path)
    assert document is not None
    return document


def change(world: World, path: str, *, body: bytes | None = None, **fields: Any) -> None:
    """What somebody does who can write documents."""
    before = stored(world, path)
    world.services.documents.write([Write(path, {**before.fields, **fields}, body or before.body)])


def remove(world: World, path: str) -> None:
    world.services.documents.write([Write(path, None)])


def check(world: World) -> Checked:
    return audit_integrity.check(world.services)


def seals(services: Services) -> dict[int, Document]:
    return {int(d.id): d for d in everything(services, "audit_seals")}
