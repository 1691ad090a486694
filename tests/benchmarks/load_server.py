"""Serves a data directory as ``infra.cli serve`` does, without anything that happens at set times.

A board of the benchmarks has no events behind it: one made anew from them would be empty.
"""

from __future__ import annotations

import os

from infra.cli.server import MAIN
from infra.environment import environment_of, settings_from
from infra.local.dev_server import ServerPlan, serve

if __name__ == "__main__":
    settings = settings_from(os.environ)
    serve(
        ServerPlan(
            source=MAIN,
            state=settings.data_dir / "queues.sqlite",
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            schedules=(),
            environment=environment_of(settings),
        )
    )
