"""Which units the warehouse on BigQuery has, and which revision of each counts: in documents.

A dataset has one index, read with every statement: the revisions that count, and those that were
replaced a short while ago. What the writers of events noted of them stands in the index too, since
every recalculation reads all of it; of other datasets it stands in a document a unit.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from infra.clock import Clock
from shared.errors import Rejected
from shared.models import iso, parse_time
from shared.ports import Document, Documents, Query, Transaction, Unit, Write
from shared.tables import Dataset

GRACE = timedelta(hours=1)
"""Longer than a statement waits to begin: so long a replaced revision is kept for its readers."""

_PAGE = 300


@dataclass(frozen=True, slots=True)
class Index:
    """``units`` by name, and when each revision that no unit has any more was ``retired``."""

    units: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    retired: Mapping[str, str] = field(default_factory=dict)

    @property
    def revisions(self) -> tuple[str, ...]:
        return tuple(sorted(entry["revision"] for entry in self.units.values()))


class Manifest:
    """Units and their revisions. A change is one transaction of two reads and two writes."""

    def __init__(self, documents: Documents, now: Clock) -> None:
        self._documents = documents
        self._now = now

    def revisions(self, dataset: Dataset) -> tuple[str, ...]:
        """The revisions whose rows count. One read."""
        return _read(self._documents.get(_index_path(dataset))[0]).revisions

    def kept(self, dataset: Dataset) -> tuple[str, ...]:
        """The revisions that count, and those that a reader may still be reading."""
        index = _read(self._documents.get(_index_path(dataset))[0])
        return tuple(sorted({*index.revisions, *self._recent(index.retired)}))

    def unit(self, dataset: Dataset, name: str) -> Unit | None:
        """The unit of that name, None where there is none."""
        if dataset is Dataset.EVENTS:
            index = _read(self._documents.get(_index_path(dataset))[0])
            entry = index.units.get(name)
            return None if entry is None else _unit(dataset, name, entry, entry["about"])
        (found,) = self._documents.get(_unit_path(dataset, name))
        return None if found is None else _stored_unit(dataset, found)

    def units(self, dataset: Dataset) -> tuple[Unit, ...]:
        """All units of a dataset, by name."""
        if dataset is Dataset.EVENTS:
            index = _read(self._documents.get(_index_path(dataset))[0])
            listed = [_unit(dataset, n, entry, entry["about"]) for n, entry in index.units.items()]
        else:
            listed = [_stored_unit(dataset, found) for found in self._stored(dataset)]
        return tuple(sorted(listed, key=lambda unit: unit.name))

    def put(self, unit: Unit, revision: str) -> None:
        """Let a revision count in place of what did under the unit's name."""
        entry: dict[str, Any] = {
            "revision": revision,
            "rows": unit.rows,
            "digest": unit.digest,
        }
        if unit.dataset is Dataset.EVENTS:
            entry["about"] = dict(unit.about)
        else:
            about = _packed(dict(unit.about))

        def flip(transaction: Transaction) -> None:
            self._change(transaction, unit.dataset, unit.name, entry)
            if unit.dataset is not Dataset.EVENTS:
                fields = {**entry, "dataset": unit.dataset.value, "name": unit.name}
                transaction.write(Write(_unit_path(unit.dataset, unit.name), fields, about))

        self._documents.transact(flip)

    def remove(self, dataset: Dataset, name: str) -> None:
        """Forget a unit, if there is one."""

        def forget(transaction: Transaction) -> None:
            if self._change(transaction, dataset, name, None) and dataset is not Dataset.EVENTS:
                transaction.write(Write(_unit_path(dataset, name), None))

        self._documents.transact(forget)

    def diminish(self, dataset: Dataset, rows: Mapping[str, int], why: str) -> None:
        """Note of revisions that they have fewer rows now, and their units another digest."""

        def note(transaction: Transaction) -> None:
            index = _read(transaction.get(_index_path(dataset)))
            units = {
                name: _diminished(entry, rows[entry["revision"]], why)
                for name, entry in index.units.items()
                if entry["revision"] in rows
            }
            stored = (
                {}
                if dataset is Dataset.EVENTS
                else {name: transaction.get(_unit_path(dataset, name)) for name in units}
            )
            if units:
                transaction.write(_written(dataset, Index({**index.units, **units}, index.retired)))
            for name, document in stored.items():
                if document is not None:
                    fields = _diminished(document.fields, units[name]["rows"], why)
                    transaction.write(Write(document.path, fields, document.body))

        if rows:
            self._documents.transact(note)

    def _change(
        self,
        transaction: Transaction,
        dataset: Dataset,
        name: str,
        entry: Mapping[str, Any] | None,
    ) -> bool:
        """Write the index with another entry, or without. False if there was nothing to remove."""
        index = _read(transaction.get(_index_path(dataset)))
        before = index.units.get(name)
        if before is None and entry is None:
            return False
        retired = {revision: index.retired[revision] for revision in self._recent(index.retired)}
        if before is not None and before["revision"] != (entry or {}).get("revision"):
            retired[before["revision"]] = iso(self._now())
        units = {each: kept for each, kept in index.units.items() if each != name}
        if entry is not None:
            units[name] = entry
        transaction.write(_written(dataset, Index(units, retired)))
        return True

    def _recent(self, retired: Mapping[str, str]) -> Iterator[str]:
        oldest = self._now() - GRACE
        return (revision for revision, at in retired.items() if parse_time(at) >= oldest)

    def _stored(self, dataset: Dataset) -> Iterator[Document]:
        cursor: str | None = None
        while True:
            page = self._documents.query(
                Query("units", (("dataset", "==", dataset.value),), after=cursor, limit=_PAGE)
            )
            yield from page.documents
            cursor = page.cursor
            if cursor is None:
                return


def new_revision(now: datetime, random: Callable[[], str]) -> str:
    """A name of a writing that sorts by the time it began."""
    return f"{now:%Y%m%dT%H%M%S}-{random()}"


def oldest_kept(now: datetime) -> str:
    """What every revision begun within the grace sorts behind."""
    return f"{now - GRACE:%Y%m%dT%H%M%S}"


def _diminished(entry: Mapping[str, Any], rows: int, why: str) -> dict[str, Any]:
    digest = hashlib.sha256(f"{entry['digest']} without {why}".encode()).hexdigest()
    return {**entry, "rows": rows, "digest": digest}


def _index_path(dataset: Dataset) -> str:
    return f"manifests/{dataset.value}"


def _unit_path(dataset: Dataset, name: str) -> str:
    return f"units/{dataset.value}.{quote(name, safe='')}"


def _packed(value: object) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return zlib.compress(text.encode(), 9)


def _unpacked(document: Document) -> Any:
    return json.loads(zlib.decompress(document.body or b""))


def _read(document: Document | None) -> Index:
    return Index() if document is None else Index(**_unpacked(document))


def _written(dataset: Dataset, index: Index) -> Write:
    body = _packed({"units": dict(index.units), "retired": dict(index.retired)})
    if len(body) > 1_000_000:
        raise Rejected(
            f"There are too many units of {dataset} ({len(index.units):,}) for one manifest. "
            "Remove some, or gather longer times into one.",
            details={"dataset": dataset.value, "units": len(index.units)},
        )
    return Write(_index_path(dataset), {"units": len(index.units)}, body)


def _unit(dataset: Dataset, name: str, entry: Mapping[str, Any], about: Any) -> Unit:
    return Unit(dataset, name, entry["rows"], entry["digest"], about)


def _stored_unit(dataset: Dataset, found: Document) -> Unit:
    return _unit(dataset, str(found.fields["name"]), found.fields, _unpacked(found))
