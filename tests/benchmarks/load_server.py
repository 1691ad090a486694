"""Serves a data directory as ``infra.cli serve`` does, without anything that happens at set times.

A board of the benchmarks has no events behind it: one made anew from them would be empty.
"""

from __future__ import annotations

import os
from dataclasses import replace

from infra.cli.server import plan_of
from infra.environment import settings_from
from infra.local.dev_server import serve

if __name__ == "__main__":
    serve(replace(plan_of(settings_from(os.environ)), schedules=()))
