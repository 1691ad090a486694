"""Serves the tiny functions until told to stop, and prints the server's address and process."""

from __future__ import annotations

import sys
from pathlib import Path

from infra.local.dev_server import RunningServer, ServerPlan, serve
from tests.support import tiny_functions


def _say(server: RunningServer) -> None:
    sys.stdout.write(f"{server.url} {server.server_pid}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve(
        ServerPlan(source=Path(tiny_functions.__file__), state=Path(sys.argv[1]), port=0),
        on_ready=_say,
    )
