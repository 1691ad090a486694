"""Pictures of the pages for those who run the leaderboard, over one that is being run.

    python -m tests.browser.operations OUT_DIR

Serves invented work and money from a folder that is removed afterwards, on loopback.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
from pathlib import Path

from werkzeug.serving import make_server

from functions.api.app import create_app
from shared import auth
from tests.browser.screenshots import take
from tests.support.operations_world import running

PAGES = {
    "pipeline": "/dashboard/pipeline",
    "costs": "/costs?period=month",
    "ledger": "/costs/ledger",
    "coverage": "/coverage",
    "settings": "/settings",
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Take pictures of the pages for owners.")
    parser.add_argument("out", type=Path, help="directory for the pictures")
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        services = running(Path(folder))
        key = auth.create_first_key(services)
        server = make_server("127.0.0.1", 0, create_app(lambda: services), threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            taken = take(url, out / "signed-out", addresses={"sign-in": "/sign-in", **PAGES})
            dashboard = {"dashboard": "/dashboard"}
            taken += take(url, out / "admin", addresses={**dashboard, **PAGES}, key=key)
        finally:
            server.shutdown()
            thread.join()
    for path in taken:
        print(path)  # noqa: T201 - a command that people run
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
