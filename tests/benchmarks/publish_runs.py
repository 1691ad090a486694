"""One run of ours: standings in the warehouse to a verified, flipped generation.

``python -m tests.benchmarks.publish_runs publish|rescore <contributors> <standings> <repositories>
<cache> <folder>``. A first board is published, then the one that is measured, against it: so there
are ranks before, as there always are but once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from infra.clock import utc_now
from infra.environment import settings_from
from infra.local.documents import SqliteDocuments
from infra.logs import configure
from infra.services import build
from shared.boards import GLOBAL
from shared.context import Services
from shared.models import Kind
from shared.ports import Transaction, Write
from shared.publishing import Published, Publisher
from shared.recalculation import drafts_of
from shared.rule_sets import Versioned
from shared.scoring import DEFAULT_RULES
from shared.tables import Dataset
from tests.benchmarks.measuring import Stopwatch, hand_back
from tests.benchmarks.standings import Size, count_parameters, warehouse_of

T = TypeVar("T")

_COUNTED_TOGETHER = 250
"""Repositories; the product counts each by itself."""


class CountingDocuments(SqliteDocuments):
    """Counts what is written."""

    writes = 0
    bytes_written = 0

    def write(self, writes: Sequence[Write]) -> None:
        """Write and count."""
        self._count(writes)
        super().write(writes)

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """Do the work and count what it writes."""

        def counted(transaction: Transaction) -> T:
            result = work(transaction)
            self._count(getattr(transaction, "writes", ()))
            return result

        return super().transact(counted)

    def _count(self, writes: Sequence[Write]) -> None:
        self.writes += len(writes)
        self.bytes_written += sum(len(write.body or b"") for write in writes)


def publish(services: Services, turn: int) -> Published:
    """What ``recalculate_global`` does for one window, of facts that are new each turn."""
    units = services.warehouse.units(Dataset.STANDINGS)
    changed = tuple(replace(u, about={**u.about, "facts": f"{u.digest}-{turn}"}) for u in units)
    rules = Versioned(1, DEFAULT_RULES)
    (draft,) = drafts_of(services, GLOBAL, "all repositories", changed, rules, only="all")
    return services.publisher.publish(draft)


def main() -> None:
    """Run what the command line asks for."""
    what, *numbers, cache, folder = sys.argv[1:]
    size = Size(*map(int, numbers))
    settings = settings_from({"DATA_DIR": folder, "LOG_LEVEL": "ERROR"})
    configure(settings)
    documents = CountingDocuments(Path(folder) / "board.sqlite")
    services = replace(
        build(settings),
        documents=documents,
        warehouse=warehouse_of(size, Path(cache)),
        publisher=Publisher(documents, now=utc_now, keep=settings.keep_generations),
    )
    publish(services, 1)
    writes, written = documents.writes, documents.bytes_written
    with Stopwatch() as taken:
        if what == "rescore":
            points = {**DEFAULT_RULES.points, Kind.PR_REVIEWED: Decimal(21)}
            rules = DEFAULT_RULES.model_copy(update={"points": points})
            for first in range(0, size.repositories, _COUNTED_TOGETHER):
                some = slice(first, first + _COUNTED_TOGETHER)
                services.warehouse.query("count_standings", count_parameters(size, rules, some))
        head = publish(services, 2).head
    hand_back(
        taken,
        total=head.total,
        receipt=head.receipt.board,
        writes=documents.writes - writes,
        bytes=documents.bytes_written - written,
        pages=sum(part.pages for part in head.classes.values()),
    )


if __name__ == "__main__":
    main()
