"""The server process of infra/local/serving.py whose workers are forked with everything loaded.

So a worker that was killed is replaced within milliseconds instead of seconds. Only for functions
that open nothing before their first request.
"""

from __future__ import annotations

import sys

from infra.local import serving
from infra.local.dialect import duckdb_text, tables_of
from infra.local.documents import SqliteDocuments
from infra.local.warehouse import LocalWarehouse
from shared.statements import names

LOADED = (SqliteDocuments, LocalWarehouse)
"""Implementations that would otherwise be imported by the first request."""


class Preloaded(serving._Server):
    """Loads the functions before the fork."""

    def load_config(self) -> None:
        super().load_config()
        self.cfg.set("preload_app", True)
        self.cfg.set("loglevel", "critical")


if __name__ == "__main__":
    for name in names():
        duckdb_text(name)
        tables_of(name)
    Preloaded(serving.ServingPlan.from_json(sys.argv[1])).run()
